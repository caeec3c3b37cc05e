"""MovieLens titles that are hard to find, as IMDb has them: title, tconst, IMDb's name, original name, year."""

import pandas as pd

HARD = [
    ("African Queen, The (1951)", "tt0043265", "The African Queen", "The African Queen", 1951),
    ("Postino, Il (1994)", "tt0110877", "The Postman", "Il postino", 1994),
    ("Seven (Se7en) (1995)", "tt0114369", "Se7en", "Se7en", 1995),
    ("French Twist (Gazon maudit) (1995)", "tt0113149", "French Twist", "Gazon maudit", 1995),
    ("Dolores Claiborne (1994)", "tt0109642", "Dolores Claiborne", "Dolores Claiborne", 1995),
    (
        "Horseman on the Roof, The (Hussard sur le toit, Le) (1995)",
        "tt0113362",
        "The Horseman on the Roof",
        "Le hussard sur le toit",
        1995,
    ),
    ("Return of the Pink Panther, The (1974)", "tt0072081", "The Return of the Pink Panther", "", 1975),
    ("Monty Python and the Holy Grail (1974)", "tt0071853", "Monty Python and the Holy Grail", "", 1975),
    ("Nikita (La Femme Nikita) (1990)", "tt0100263", "La Femme Nikita", "Nikita", 1990),
    ("Cinema Paradiso (1988)", "tt0095765", "Cinema Paradiso", "Nuovo Cinema Paradiso", 1988),
    ("Promesse, La (1996)", "tt0117398", "La promesse", "La promesse", 1996),
    ("Mrs. Brown (Her Majesty, Mrs. Brown) (1997)", "tt0119280", "Mrs Brown", "Mrs Brown", 1997),
    ("Boot, Das (1981)", "tt0082096", "Das Boot", "Das Boot", 1981),
    ("Misérables, Les (1995)", "tt0113828", "Les Misérables", "Les misérables", 1995),
    ("Blue Angel, The (Blaue Engel, Der) (1930)", "tt0020697", "The Blue Angel", "Der blaue Engel", 1930),
    ("Tin Drum, The (Blechtrommel, Die) (1979)", "tt0078875", "The Tin Drum", "Die Blechtrommel", 1979),
    ("Seventh Seal, The (Sjunde inseglet, Det) (1957)", "tt0050976", "The Seventh Seal", "Det sjunde inseglet", 1957),
    ("Nosferatu (Nosferatu, eine Symphonie des Grauens) (1922)", "tt0013442", "Nosferatu", "", 1922),
    ("Queen Margot (Reine Margot, La) (1994)", "tt0110963", "Queen Margot", "La reine Margot", 1994),
    ("Blood & Wine (1997)", "tt0115710", "Blood and Wine", "Blood and Wine", 1996),
    (
        "Double vie de Véronique, La (Double Life of Veronique, The) (1991)",
        "tt0101765",
        "The Double Life of Véronique",
        "La double vie de Véronique",
        1991,
    ),
    ("Die xue shuang xiong (Killer, The) (1989)", "tt0097202", "The Killer", "Dip huet seung hung", 1989),
    ("Hate (Haine, La) (1995)", "tt0113247", "La haine", "La haine", 1995),
    ("C'est arrivé près de chez vous (1992)", "tt0103905", "Man Bites Dog", "C'est arrivé près de chez vous", 1992),
    ("Heidi Fleiss: Hollywood Madam (1995) ", "tt0113283", "Heidi Fleiss: Hollywood Madam", "", 1995),
    ("Contempt (Mépris, Le) (1963)", "tt0057345", "Contempt", "Le mépris", 1963),
    ("Big Blue, The (Grand bleu, Le) (1988)", "tt0095250", "The Big Blue", "Le grand bleu", 1988),
    ("Á köldum klaka (Cold Fever) (1994)", "tt0109028", "Cold Fever", "Á köldum klaka", 1995),
    ("Cérémonie, La (1995)", "tt0112769", "La cérémonie", "La cérémonie", 1995),
    ("Visitors, The (Visiteurs, Les) (1993)", "tt0108500", "The Visitors", "Les visiteurs", 1993),
    ("Caro Diario (Dear Diary) (1994)", "tt0109382", "Caro diario", "Caro diario", 1993),
    ("Good, The Bad and The Ugly, The (1966)", "tt0060196", "The Good, the Bad and the Ugly", "", 1966),
    ("Beat the Devil (1954)", "tt0046414", "Beat the Devil", "Beat the Devil", 1953),
    ("Jerky Boys, The (1994)", "tt0110189", "The Jerky Boys", "The Jerky Boys", 1995),
]
# Other films of the same names, as far away as films of one name tend to be.
OTHERS = [
    ("tt0000101", "Se7en", "", 1990),
    ("tt0000102", "Contempt", "", 1999),
    ("tt0000103", "The Visitors", "", 1972),
    ("tt0000104", "Nosferatu", "", 1979),
    ("tt0000105", "Les Misérables", "", 1998),
    ("tt0000106", "The Killer", "", 1972),
]


def films(*titles, **columns):
    return pd.DataFrame({"title": titles, **columns}, index=pd.RangeIndex(1, len(titles) + 1, name="item_id"))
