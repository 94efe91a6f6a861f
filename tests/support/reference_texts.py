"""Texts on which our graphs are compared with sentence-transformers: short, long, empty, in many scripts."""

_SENTENCE = "The heat pump reports error E17 when the filter is clogged; bleed the radiators and restart the unit. "
_GERMAN = "Der Vertrag verlängert sich stillschweigend um ein Jahr, sofern er nicht fristgerecht gekündigt wird. "

DOCUMENTS = (
    "",
    "a",
    "Venus is often called Earth's twin because of its similar size and proximity.",
    "Mars, known for its reddish appearance, is often referred to as the Red Planet.",
    "Jupiter, the largest planet in our solar system, has a prominent red spot.",
    "Saturn, famous for its rings, is sometimes mistaken for the Red Planet.",
    "def quicksort(items):\n    if len(items) < 2:\n        return items\n    pivot, *rest = items\n",
    "  leading and trailing blanks, a tab\tand\r\nline ends \n\n",
    "如何保存新鲜的香菜:把根部插入水杯,用塑料袋罩住叶子。",
    "日本の夏祭りは七月から八月にかけて行われ、花火が打ち上げられます。",
    "Клубни высаживают в начале мая, когда почва прогреется.",
    "يفتح المتحف أبوابه يوميا من التاسعة صباحا حتى الخامسة مساء.",
    "emoji 👩‍👩‍👧‍👦🏳️‍🌈, ligatures ﬁ ﬂ, combining e\u0301, zero\u200bwidth, nbsp\u00a0here",
    _SENTENCE * 11,  # just under Gemma's window of 257 tokens
    _SENTENCE * 12,
    _SENTENCE * 20,
    _GERMAN * 40,
    " ".join(f"Line {i}: entry {i * 37 % 101} of the log, value {i * i % 977}." for i in range(110)),
    _SENTENCE * 1000,  # about 100,000 characters
)
QUERIES = (
    "Which planet is known as the Red Planet?",
    "kündigung",
    "如何保存香菜",
    "what does E17 mean on my heat pump, and what should I check before I call the service?",
    "",
)
EMBEDDINGGEMMA_CARD_SIMILARITIES = (0.3011, 0.6359, 0.4930, 0.4889)  # of QUERIES[0] with DOCUMENTS[2:6]
