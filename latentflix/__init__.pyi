from latentflix.explanation.explain import explain as explain
from latentflix.explanation.result import Explanation as Explanation
