"""The language of a listing: as its seller gives it, or as its words show.

Detection is conservative. Titles are short, and many English ones hold French or Italian words, so a text is
of another language only if it is hardly English and few of its words are known from English titles.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from models.text.cleaning import is_chinese
from models.text.languages import LANGUAGES

LEAST_SUPPORTED = ((0.001, 0.1), (0.5, 0.02), (0.7, 0.005))
"""Pairs of a share of known words and word pairs, and a probability: a text with less than this share is
of another language up to this probability of all supported languages together. With a greater share it is
English, whatever it resembles. Of a text without one known word little is needed: `birra moretti`."""
LEAST_SURE = 0.3
"""The least probability of the other language itself."""
_LIKELY = 0.5
_MOST_ENGLISH = 0.5
"""The least share of known English words and word pairs of a text that resembles no other language."""
_LEAST_LETTERS = 6
_LEAST_OTHER_LETTERS = 3
"""Fewer kana do not make a Chinese title Japanese: some Chinese brands have one."""
_CACHED_TEXTS = 20_000
_WORD = re.compile(r"[^\W\d_]{3,}")
_OTHER_EAST_ASIAN = re.compile("[\u3040-\u30ff\u31f0-\u31ff\u1100-\u11ff\uac00-\ud7ff]")
_FOREIGN = re.compile("[\u0370-\u1cff]")
_CODE = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]{2,8})*")
_CANDIDATES = (
    "ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "he", "hr", "hu", "id", "it", "ja",
    "ko", "lt", "lv", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "th", "tr", "uk", "vi", "zh",
)  # fmt: skip
"""Languages of shops. With more of them, short titles scatter over rare languages."""
_NAMES = {
    "english": "en", "eng": "en", "chinese": "zh", "mandarin": "zh", "zho": "zh", "chi": "zh",
    "cmn": "zh", "yue": "zh", "中文": "zh", "简体中文": "zh", "繁體中文": "zh", "german": "de",
    "deutsch": "de", "deu": "de", "ger": "de", "french": "fr", "français": "fr", "francais": "fr",
    "fra": "fr", "fre": "fr", "spanish": "es", "español": "es", "espanol": "es", "spa": "es",
    "italian": "it", "italiano": "it", "ita": "it", "dutch": "nl", "nederlands": "nl", "nld": "nl",
    "dut": "nl", "polish": "pl", "polski": "pl", "pol": "pl", "portuguese": "pt", "português": "pt",
    "portugues": "pt", "por": "pt", "swedish": "sv", "svenska": "sv", "swe": "sv", "danish": "da",
    "dansk": "da", "dan": "da", "norwegian": "no", "norsk": "no", "nor": "no", "finnish": "fi",
    "suomi": "fi", "fin": "fi", "japanese": "ja", "日本語": "ja", "jpn": "ja", "korean": "ko",
    "한국어": "ko", "kor": "ko", "russian": "ru", "русский": "ru", "rus": "ru", "turkish": "tr",
    "türkçe": "tr", "tur": "tr", "czech": "cs", "čeština": "cs", "ces": "cs", "cze": "cs", "greek": "el",
    "ell": "el", "gre": "el", "arabic": "ar", "ara": "ar", "hebrew": "he", "heb": "he", "thai": "th",
    "tha": "th", "vietnamese": "vi", "vie": "vi", "indonesian": "id", "ind": "id", "hungarian": "hu",
    "magyar": "hu", "hun": "hu", "romanian": "ro", "română": "ro", "ron": "ro", "rum": "ro",
    "ukrainian": "uk", "ukr": "uk",
}  # fmt: skip


def language_code(language: str | None) -> str | None:
    """The ISO 639 code of a given language, without its region: `en` for `en-GB`, `EN` and `English`.

    Args:
        language: A code, a tag such as `zh-TW`, or a name, as sellers give it.

    Returns:
        The code; None if none is given, or if it is not a language.
    """
    text = language.strip().casefold() if language else ""
    if not text or text in ("und", "mul", "zxx", "nan", "n/a", "none", "null"):
        return None
    if (code := _NAMES.get(text)) is not None:
        return code
    match = _CODE.fullmatch(text)
    return _NAMES.get(match[1], match[1]) if match else None


def is_supported(language: str | None) -> bool:
    """Whether the models read a language. An unknown one is tried."""
    return language is None or language in LANGUAGES


class LanguageDetector:
    """Detects the language of cleaned titles. Thread-safe.

    Args:
        coverage: The share of a cleaned text's words and word pairs that are known from English titles.
    """

    def __init__(self, coverage: Callable[[str], float]) -> None:
        self._coverage = coverage
        self.detect = lru_cache(_CACHED_TEXTS)(self._detect)

    def _detect(self, text: str) -> str | None:
        """The language of a cleaned text: a supported one, or another one if that is sure; else None."""
        other_script = len(_OTHER_EAST_ASIAN.findall(text)) >= _LEAST_OTHER_LETTERS
        if is_chinese(text) and not other_script:
            return "zh"
        letters = sum(map(len, _WORD.findall(text)))
        other_script |= len(_FOREIGN.findall(text)) > letters / 2
        coverage = 0.0 if other_script else self._coverage(text)
        limit = next((most for share, most in LEAST_SUPPORTED if coverage < share), None)
        if limit is None:
            return "en"
        if letters < _LEAST_LETTERS and not other_script:
            return None
        ranked = _ranked(text)
        likeliest = max(ranked, key=ranked.__getitem__)
        if likeliest in LANGUAGES:
            return likeliest if ranked[likeliest] >= _LIKELY else None
        supported = ranked["en"] if other_script else sum(ranked[each] for each in LANGUAGES)
        return likeliest if supported <= limit and ranked[likeliest] >= LEAST_SURE else None

    def likeliest(self, text: str) -> str | None:
        """The language that a cleaned text resembles, though it might be English; None if there is none."""
        if sum(map(len, _WORD.findall(text))) < _LEAST_LETTERS or self._coverage(text) >= _MOST_ENGLISH:
            return None
        ranked = _ranked(text)
        best = max(ranked, key=ranked.__getitem__)
        return best if ranked[best] >= _LIKELY else None


def _ranked(text: str) -> dict[str, float]:
    """The probability of each language."""
    return {language: float(probability) for language, probability in _identifier().rank(text)}


@lru_cache(1)
def _identifier() -> LanguageIdentifier:
    """The library's model, loaded once per process: half a second and 70 MB."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(_CANDIDATES))
    return identifier
