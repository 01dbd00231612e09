"""Words by which a query says what kind of answer it wants, in many languages."""

from __future__ import annotations

from collections.abc import Mapping

from routesdk.lexicon import Lexicon

_QUANTITY = "a quantity"
_TIME = "a point in time"
_PERSON = "a person's name"
_PLACE = "a place"
_WORKING = "a result that has to be worked out"
_EXPLANATION = "an explanation"
_WRITING = "a text to be written or reworked"
_THING = "a particular thing"

NARROW = frozenset({_QUANTITY, _TIME, _PERSON, _PLACE})
"""Kinds of facts of which a question must say about whom or what."""

EXACT = NARROW | {_THING}
"""Kinds of answers that are either right or wrong."""

LONG = frozenset({_WORKING, _EXPLANATION})
"""Kinds of answers that take steps of thought."""

# In order of precedence: "how many" comes before "how". Words that mean something else
# in another of these languages, such as the German "was", are left out.
_WORDS: Mapping[str, str] = {
    _QUANTITY: (
        "how many|how much|how long|how far|how old|how tall|how large|how high|what number"
        "|what percentage"
        "|wie viel|wie viele|wieviel|wieviele|wie lange|wie hoch|wie weit|combien|cuánto|cuánta|cuántos"
        "|cuántas"
        "|quanti|quante|quantos|quantas|hoeveel|kolik|ile|kaç|сколько|как далеко|как долго|скільки|πόσο"
        "|πόσα|πόσες|πόσοι|كم"
        "|כמה"
        "|कितना|कितने|कितनी|多少|几个|幾個|多远|多遠|多大|多高|多长|多長|多久|いくつ|いくら|どれくらい|몇|얼마나|เท่าไร|เท่าไหร่|กี่"
    ),
    _TIME: (
        "when|what year|which year|what date|what day|what month|what century|wann|in welchem jahr|quand"
        "|en quelle année|cuándo|en qué año|quando|in che anno|em que ano|wanneer|kdy|kiedy|ne zaman"
        "|когда"
        "|в каком году|коли|πότε|متى|מתי|कब|什么时候|什麼時候|何时|何時|哪一年|哪年|いつ|언제|เมื่อไร|เมื่อใด"
    ),
    _PERSON: (
        "who|whom|whose|wer|wem|wen|qui|quién|quiénes|quem|kdo|kto|kim|кто|кого|кому|хто|ποιος|ποια"
        "|من هو|من هي"
        "|מי|कौन|किसने|谁|誰|だれ|누구|누가|ใคร"
    ),
    _PLACE: (
        "where|in which city|in which country|what city|what country|what town|which city|which country"
        "|woher"
        "|wohin|dónde|onde|waar|kde|gdzie|nerede|где|де|куда|πού|أين|איפה|היכן|कहाँ|哪里|哪裡|哪儿|何处|どこ|어디"
        "|ที่ไหน"
    ),
    _WORKING: (
        "calculate|compute|solve|prove|derive|evaluate|simplify|integrate|factor|berechne|beweise"
        "|calcule|calculer"
        "|démontrer|calcula|demuestra|calcola|dimostra|вычисли|докажи|решите|计算|計算|证明|證明|解け|계산|จงคำนวณ"
    ),
    _EXPLANATION: (
        "why|how|explain|describe|compare|discuss|warum|wieso|weshalb|erkläre|pourquoi|comment|explique"
        "|por qué"
        "|cómo|explica|perché|spiega|porque|explica|waarom|proč|jak|vysvětli|dlaczego|neden|nasıl"
        "|почему|зачем"
        "|как|объясни|чому|γιατί|πώς|لماذا|كيف|מדוע|למה|איך|क्यों|कैसे|为什么|為什麼|如何|怎么|怎麼|なぜ|どうして"
        "|どうやって|왜|어떻게|ทำไม|อย่างไร"
    ),
    _WRITING: (
        "write|compose|draft|summarize|summarise|translate|rewrite|rephrase|schreibe|übersetze|fasse"
        "|écris|traduis"
        "|résume|escribe|traduce|resume|scrivi|traduci|riassumi|escreva|traduza|napiš|napisz|напиши"
        "|переведи"
        "|اكتب|כתוב|लिखो|लिखिए|写一|寫一|翻译|翻譯|書いて|訳して|써줘|번역|เขียน|แปล"
    ),
    _THING: (
        "what|which|welche|welcher|welches|quel|quelle|quels|quelles|qué|cuál|cuáles|quale|quali|qual"
        "|quais|welk|welke"
        "|který|która|které|który|które|hangi|какой|какая|какое|какие|який|яка|яке|ποιο|ποιες|ما هو"
        "|ما هي|מה|איזה"
        "|क्या|什么|什麼|哪个|哪個|何|どの|무엇|어떤|อะไร"
    ),
}
_KINDS: dict[str, str] = {}
for _kind, _listed in _WORDS.items():
    for _word in _listed.split("|"):
        # A word of two kinds belongs to the first.
        _KINDS.setdefault(_word, _kind)
_LEXICON = Lexicon(_KINDS, key="wording")


def kind_of_answer(text: str) -> str | None:
    """Name the kind of answer that a text asks for, or return None where no word says it."""
    word = _LEXICON.find(text)
    return None if word is None else _KINDS[word]
