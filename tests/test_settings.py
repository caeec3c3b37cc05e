import ast
import re
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from types import UnionType
from typing import Union, get_args, get_origin

import pytest
from pydantic import ValidationError
from typer.main import get_command

from flows.command_line import parse_command_line
from latentflix.cli.main import app
from latentflix.config import ParallelConfig, StageConfig
from latentflix.data.datasets import DataSetConfig
from latentflix.data.splits import SplitConfig
from latentflix.errors import SettingsError
from latentflix.factors.classifiers import FoldConfig, PredictionConfig
from latentflix.factors.extraction import FactorConfig
from latentflix.factors.inference import EvaluationConfig
from latentflix.factors.meanings.llm_names import LlmConfig
from latentflix.factors.readers.registry import ReadersConfig, RepeatsConfig
from latentflix.factors.readers.tfidf import WordsConfig
from latentflix.factors.readers.topics import TopicsConfig
from latentflix.keys import artifact_key
from latentflix.profiles import STUDY_WEIGHT_DECAYS
from latentflix.recommender.als import AlsConfig
from latentflix.recommender.halves import PairsConfig
from latentflix.recommender.model import CollabConfig
from latentflix.recommender.posterior import PosteriorConfig
from latentflix.reviews.sources.registry import SourcesConfig
from latentflix.settings import (
    CollabStudySettings,
    FullSettings,
    GenreSettings,
    RefreshSettings,
    SentimentSettings,
)
from latentflix.text.language_model import LanguageModelConfig
from latentflix.text.pretrained import PretrainedConfig
from tasks.stage import StageTask

ROOT = Path(__file__).parents[1]
ALL_SETTINGS = (RefreshSettings, GenreSettings, SentimentSettings, CollabStudySettings, FullSettings)


def stages_of(settings):
    return {
        name: field.annotation
        for name, field in settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, StageConfig)
    }


STAGES = stages_of(FullSettings)
CONFIGS = {
    **{name: config for settings in ALL_SETTINGS for name, config in stages_of(settings).items()},
    "agreement": FactorConfig,
    "fold": FoldConfig,
    "halves": PairsConfig,
    "network": PredictionConfig,
    "topics": ReadersConfig,
    "repeats": RepeatsConfig,
    "positions": ReadersConfig,
    "reader": ReadersConfig,
    "datasets": DataSetConfig,
    "label_evaluation": EvaluationConfig,
    "llm_names": LlmConfig,
    "pretrained": PretrainedConfig,
}
# Settings that belong to no stage.
PARTS = {"texts", "llm", "readers", "parallel", "refresh", "store", "sources", "titles"}
# By what stands before the option's name on the command line.
PARTS_OF_STAGES = {
    "collab.posterior": PosteriorConfig,
    "collab.als": AlsConfig,
    "collab.split": SplitConfig,
    "readers.words": WordsConfig,
    "readers.topics": TopicsConfig,
}
SECTIONS = {**STAGES, **PARTS_OF_STAGES}
FIELDS = [
    (config, name)
    for config in (*CONFIGS.values(), *stages_of(SourcesConfig).values(), *PARTS_OF_STAGES.values())
    for name in config.model_fields
    if name not in stages_of(config)
]
SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
BOUNDS = [
    (config, name, sign, getattr(constraint, sign))
    for config, name in FIELDS
    for constraint in config.model_fields[name].metadata
    for sign in SIGNS
    if hasattr(constraint, sign)
]
FULL = {"pretrained": True, "vocabulary_size": 60_000, "embedding_size": 400, "hidden_size": 1152, "n_layers": 3}


SAMPLE = LanguageModelConfig()


def parse(*arguments):
    return parse_command_line(FullSettings, "prog", arguments)


def kebab(name):
    return name.replace("_", "-")


def without_blanks(text):
    return "".join(text.split())


def describe(case):
    return "-".join(getattr(part, "__name__", str(part)) for part in case)


@pytest.fixture(scope="module")
def help_text():
    output = StringIO()
    with redirect_stdout(output), pytest.raises(SystemExit) as caught:
        parse("--help")
    assert caught.value.code == 0
    return output.getvalue()


def test_every_stage_has_its_settings():
    stages = {
        stage.name
        for path in (ROOT / "tasks").glob("[a-z]*.py")
        for stage in vars(import_module(f"tasks.{path.stem}")).values()
        if isinstance(stage, StageTask)
    }
    assert set(CONFIGS) - PARTS == stages


@pytest.mark.parametrize("settings", ALL_SETTINGS)
def test_what_a_user_changes_comes_first_and_folders_come_last(settings):
    names = list(settings.model_fields)
    assert names[-6:] == ["parallel", "artifacts_dir", "data_dir", "cache_dir", "pages_url", "json_"]
    assert all(settings.model_fields[name].description for name in names)


def test_the_full_flow_begins_with_data_reviews_factors_labels_and_names():
    data = ["profile", "ratings_source", "ratings", "item_factors", "texts", "reviews"]
    first = [*data, "factors", "labels", "documents", "readers", "names", "report"]
    assert list(FullSettings.model_fields)[: len(first)] == first


def test_help_lists_settings_in_the_order_of_the_form(help_text):
    places = [help_text.index(f"\n  --{kebab(name)}.") for name in FullSettings.model_fields if name in STAGES]
    assert places == sorted(places)


def test_without_options_all_is_as_the_sample_profile_has_it():
    assert parse() == FullSettings() == parse("--profile", "sample")
    for name, config in STAGES.items():
        assert getattr(parse(), name) == config()


@pytest.mark.parametrize(("config", "name"), FIELDS, ids=map(describe, FIELDS))
def test_every_setting_is_described(config, name):
    description = config.model_fields[name].description
    assert len(description) > 10
    assert not description.endswith(".")


@pytest.mark.parametrize(("config", "name", "sign", "bound"), BOUNDS, ids=map(describe, BOUNDS))
def test_a_bound_stands_in_the_description_and_holds(config, name, sign, bound):
    notes = re.search(r"\[(.*)\]$", config.model_fields[name].description).group(1)
    assert re.search(rf"(^|; |and ){SIGNS[sign]} {bound:g}($| and)", notes)
    inwards = 1 if sign in ("ge", "gt") else -1
    step = 1 if config.model_fields[name].annotation is int else 1e-6
    outside = bound if sign in ("gt", "lt") else bound - inwards * step
    inside = bound + inwards * step if sign in ("gt", "lt") else bound
    assert getattr(config(**{name: inside}), name) == inside
    with pytest.raises(ValidationError, match=name):
        config(**{name: outside})


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (section, name)
        for section, config in SECTIONS.items()
        for name in config.model_fields
        if name not in ("posterior", "als", "split", "words", "topics")
    ],
)
def test_help_lists_every_setting_with_its_default(help_text, section, name):
    field = SECTIONS[section].model_fields[name]
    options = without_blanks(help_text.partition("\noptions:\n")[2])
    option = f"--{kebab(section)}.{kebab(name)}"
    if field.annotation is bool:
        option += f",--no-{option[2:]}"
    annotation = (
        get_args(field.annotation)[0] if get_origin(field.annotation) in (Union, UnionType) else field.annotation
    )
    kind = "" if annotation is bool else getattr(annotation, "__name__", "Literal")
    kind = {
        "Literal": r"\{[a-z0-9_,]+\}",
        "tuple": r"tuple\[[A-Za-z0-9_{},.]+\]",
        "dict": r"dict\[str,str\]",
    }.get(kind, kind)
    text = re.escape(without_blanks(f"{field.description} (default: {field.default})"))
    assert re.search(re.escape(option) + kind + text, options)


def test_help_names_the_program_and_lists_the_settings_of_all_stages(help_text):
    assert help_text.startswith("usage: prog [-h] [--")
    for option in ("--profile", "--artifacts-dir", "--data-dir", "--cache-dir", "--json, --no-json"):
        assert re.search(rf"^  {option}\b", help_text.partition("\noptions:\n")[2], re.MULTILINE)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--labels.top-k", "0", "greater than or equal to 1"),
        ("--labels.top-k", "five", "valid integer"),
        ("--labels.top-k", "1.5", "valid integer"),
        ("--collab.learning-rate", "0", "greater than 0"),
        ("--collab.learning-rate", "nan", "less than or equal to 1"),
        ("--collab.split.share", "1", "less than 1"),
        ("--collab.split.kind", "shuffled", "'random', 'k_fold', 'leave_last_out' or 'official'"),
        ("--collab.model", "svd", "'dot', 'dot_range', 'bias', 'neural', 'bayes' or 'als'"),
        ("--collab.batch-size", "1", "greater than or equal to 2"),
        ("--collab.patience", "0", "greater than or equal to 1"),
        ("--parallel.kind", "spark", "'sequence', 'threads', 'processes' or 'dask'"),
        ("--parallel.workers", "0", "greater than or equal to 1"),
        ("--parallel.dask-timeout", "0", "greater than 0"),
        ("--collab.weight-decay", "much", "valid number"),
        ("--language-model.vocabulary-size", "100001", "less than or equal to 100000"),
        ("--factors.rotation", "promax", "'varimax', 'pca', 'ica', 'sparse' or 'none'"),
        ("--profile", "huge", "'sample', 'standard' or 'ulmfit'"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(option, value, expected):
    # The dots of the pattern match no end of line: the message is a single one.
    expected = rf"a setting cannot be used; where: {option}; found: '{value}'; expected: .*{re.escape(expected)}"
    with pytest.raises(SettingsError, match=rf"\A{expected}.*what to do: see --help\Z"):
        parse(option, value)


@pytest.mark.parametrize(
    "arguments",
    ["--nonsense 1", "--labels.nonsense 1", "--labels.top 3", "--top-k 3", "--labels.top-k", "sample", "--json_"],
)
def test_an_option_that_there_is_not_ends_with_the_usage(arguments, capsys):
    arguments = arguments.split()
    with pytest.raises(SystemExit, match=r"^2$"):
        parse(*arguments)
    errors = capsys.readouterr().err
    assert errors.startswith("usage: prog [-h]")
    assert arguments[0] in errors.splitlines()[-1]


@pytest.mark.parametrize("config", [*CONFIGS.values(), *ALL_SETTINGS], ids=lambda config: config.__name__)
def test_a_stage_or_flow_refuses_a_field_that_it_does_not_know(config):
    with pytest.raises(ValidationError) as caught:
        config.model_validate({"nonsense": 1})
    assert [(error["loc"], error["type"]) for error in caught.value.errors()] == [(("nonsense",), "extra_forbidden")]


def test_without_pretrained_weights_any_sizes_are_taken():
    settings = parse("--profile", "ulmfit", "--no-language-model.pretrained", "--language-model.hidden-size", "100")
    assert (settings.language_model.hidden_size, settings.language_model.embedding_size) == (100, 400)


def test_flags_are_set_and_unset():
    assert (parse().json_, parse("--json").json_, parse("--no-json").json_) == (False, True, False)
    assert not parse("--no-labels.only-stable").labels.only_stable
    assert parse("--labels.drop-most-frequent").labels.drop_most_frequent


def test_ratings_are_of_movielens_100k_unless_another_source_is_named():
    source = parse().ratings_source
    assert (source.data_set, source.path) == ("movielens_100k", None)
    assert parse("--ratings-source.data-set", "movielens_25m").ratings_source.data_set == "movielens_25m"
    own = parse("--ratings-source.path", "a/b.csv", "--ratings-source.user-column", "who").ratings_source
    assert (own.path, own.user_column, own.item_column) == (Path("a/b.csv"), "who", "item_id")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--ratings-source.items-path items.csv", "where: --ratings-source;.*path is not given"),
        ("--collab.split.kind k_fold --collab.split.fold 6", "there is no fold 6 of 5"),
        (
            "--parallel.kind threads --parallel.dask-address tcp://here:8786",
            "where: --parallel;.*but the fits run in threads: set --parallel.kind dask",
        ),
        ("--llm.address http://here/v1", "where: --llm;.*a server is given, but no model: set --llm.model"),
        ("--profile ulmfit --language-model.embedding-size 128", r"sizes 400, 1152 and 3, not \(128, 1152, 3\)"),
        ("--profile ulmfit --language-model.hidden-size 100", r"sizes 400, 1152 and 3, not \(400, 100, 3\)"),
        ("--profile ulmfit --language-model.n-layers 2", r"sizes 400, 1152 and 3, not \(400, 1152, 2\)"),
        (
            "--language-model.pretrained",
            rf"3, not \({SAMPLE.embedding_size}, {SAMPLE.hidden_size}, {SAMPLE.n_layers}\)",
        ),
    ],
)
def test_options_that_do_not_fit_together_are_refused(arguments, expected):
    with pytest.raises(SettingsError, match=expected):
        parse(*arguments.split())


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("localhost:8000", "begins with http"),
        ("https://", "begins with http"),
        ("http://me:hush@here/v1", "no user, password or key"),
        ("http://here/v1?key=hush", "no user, password or key"),
        ("http://here/v1#hush", "no user, password or key"),
    ],
)
def test_an_address_of_a_language_model_holds_no_secret(address, message):
    with pytest.raises(SettingsError, match=rf"where: --llm.address;.*{message}") as caught:
        parse("--llm.address", address, "--llm.model", "any")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "options", "expected"),
    [
        (
            "collab",
            "model neural layers 20,10 batch-size 64 y-lowest -0.5 split.kind k_fold split.fold 3",
            CollabConfig(
                model="neural", layers=(20, 10), batch_size=64, y_lowest=-0.5, split=SplitConfig(kind="k_fold", fold=3)
            ),
        ),
        (
            "parallel",
            "kind dask workers 3 dask-address tcp://here:8786 dask-timeout 2.5",
            ParallelConfig(kind="dask", workers=3, dask_address="tcp://here:8786", dask_timeout=2.5),
        ),
    ],
)
def test_options_reach_their_section_and_the_sections_within_it(section, options, expected):
    words = options.split()
    words[::2] = [f"--{section}.{name}" for name in words[::2]]
    assert getattr(parse(*words), section) == expected


def test_weight_decays_are_given_with_commas_and_those_of_the_study_are_its_own():
    def study(*arguments):
        return parse_command_line(CollabStudySettings, "prog", arguments).trials

    assert study().weight_decays == STUDY_WEIGHT_DECAYS != parse().trials.weight_decays
    assert study("--trials.models", "dot,bias").weight_decays == STUDY_WEIGHT_DECAYS
    assert study("--trials.models", "dot,bias").models == ("dot", "bias")
    assert study("--trials.weight-decays", "0,0.3").weight_decays == (0.0, 0.3)


def test_folders_are_paths():
    settings = parse("--artifacts-dir", "a/b", "--data-dir", "/data", "--cache-dir", "c")
    assert (settings.artifacts_dir, settings.data_dir, settings.cache_dir) == (Path("a/b"), Path("/data"), Path("c"))
    assert (parse().artifacts_dir, parse().data_dir, parse().cache_dir) == (Path("artifacts"), None, None)


@pytest.mark.parametrize("config", [DataSetConfig, PretrainedConfig])
def test_where_data_lie_makes_no_other_key(config):
    keys = {
        artifact_key("datasets", {}, config(data_dir=folder, cache_dir=cache), "source")
        for folder in (None, Path("/data"))
        for cache in (None, Path("/cache"))
    }
    assert len(keys) == 1


def test_another_data_set_makes_another_key():
    names = ("movielens_100k", "imdb_reviews")
    assert len({artifact_key("datasets", {}, DataSetConfig(name=name), "source") for name in names}) == 2


def named_in_messages():
    """Every option, with the value if one is named, in what the library says to its user."""
    texts = [
        node.value
        for path in sorted((ROOT / "latentflix").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    ]
    options = re.findall(r"(?<![\w-])--[a-z][a-z.-]*[a-z](?: (?:true|false)\b)?", "\n".join(texts))
    return sorted(set(options))


@pytest.fixture(scope="module")
def options():
    """The options of all flows and of all commands."""
    output = StringIO()
    for settings in ALL_SETTINGS:
        with redirect_stdout(output), pytest.raises(SystemExit):
            parse_command_line(settings, "prog", ["--help"])
    found = set(re.findall(r"--[a-z][a-z.-]*[a-z]", output.getvalue()))
    waiting = [get_command(app)]
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        found |= {option for parameter in command.params for option in parameter.opts}
    return found


@pytest.mark.parametrize("option", named_in_messages())
def test_an_option_that_a_message_names_is_one(options, option):
    name, _, value = option.partition(" ")
    assert name in options
    if value:
        assert parse(name, value)


def test_the_genre_flow_takes_settings_of_settings_on_the_command_line():
    given = "--genres.head.dropout 0.7 --genres.losses focal --compared-strategies head_tail"
    settings = parse_command_line(GenreSettings, "prog", given.split())
    assert settings.genres.head.dropout == 0.7
    assert (settings.genres.losses, settings.compared_strategies) == (("focal",), ("head_tail",))
    assert GenreSettings.model_validate_json(settings.model_dump_json(by_alias=True)) == settings
