from latentflix.explanation import Explanation as Explanation
from latentflix.explanation import explain as explain
