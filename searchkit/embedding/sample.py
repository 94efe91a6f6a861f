"""A small multilingual sample of queries and the passages that answer them, to test models with."""

from collections.abc import Sequence

from searchkit.embedding.model_info import Prompts
from searchkit.types import Passage

SAMPLE_PAIRS = (
    (
        "how to descale a kettle",
        "Fill it halfway with water and white vinegar, bring it to the boil, wait twenty minutes and rinse well.",
    ),
    (
        "notice period for the flat",
        "Either party may end the tenancy with three months' warning, given in writing before the third working day.",
    ),
    (
        "why does bread need to rest",
        "During proofing the yeast produces gas, and the gluten relaxes, so the loaf keeps its shape in the oven.",
    ),
    (
        "read a file line by line in Python",
        "with open(path, encoding='utf-8') as handle:\n    for row in handle:\n        process(row.rstrip())",
    ),
    (
        "symptoms of iron deficiency",
        "Tiredness, pale skin, brittle nails and shortness of breath are typical when haemoglobin is low.",
    ),
    (
        "train to the airport at night",
        "After midnight the S8 runs once an hour; allow 45 minutes from the central station to the terminal.",
    ),
    (
        "budget decision of the board",
        "The committee approved spending of 12,000 for the new roof and postponed the garden until spring.",
    ),
    (
        "what causes tides",
        "The moon's gravity pulls the oceans towards it, which raises the water twice a day along most coasts.",
    ),
    (
        "undo the last commit",
        "git reset --soft HEAD~1 moves the branch back by one and keeps the changes in the index.",
    ),
    (
        "Kündigungsfrist der Versicherung",
        "Der Vertrag verlängert sich um ein Jahr, wenn er nicht einen Monat vor Ablauf schriftlich beendet wird.",
    ),
    (
        "Wie lange müssen Linsen kochen?",
        "Rote brauchen etwa zehn Minuten, braune eine halbe Stunde; gesalzen wird erst am Ende.",
    ),
    (
        "recette de la pâte brisée",
        "Mélanger la farine et le beurre froid du bout des doigts, ajouter un peu d'eau, laisser reposer une heure au frais.",
    ),
    (
        "horaires de la bibliothèque",
        "Elle ouvre du mardi au samedi de dix heures à dix-neuf heures et ferme les jours fériés.",
    ),
    (
        "cómo podar un limonero",
        "A finales del invierno se cortan las ramas secas y los chupones, siempre con tijeras limpias.",
    ),
    (
        "requisitos para renovar el pasaporte",
        "Hay que llevar el documento anterior, una fotografía reciente y el justificante del pago de la tasa.",
    ),
    ("日本の夏祭りはいつですか", "多くの地域では七月から八月にかけて行われ、屋台が並び、花火が打ち上げられます。"),
    ("如何保存新鲜的香菜", "把根部插入水杯,用塑料袋罩住叶子,放进冰箱可以保持一周左右。"),
    ("когда сажать картофель", "Клубни высаживают в начале мая, когда почва прогреется до восьми градусов."),
    ("أوقات عمل المتحف", "يفتح أبوابه يوميا من التاسعة صباحا حتى الخامسة مساء ويغلق يوم الاثنين."),
    (
        "what to do about error E17 on the heat pump",
        "The flow sensor reports too little water: check the filter, bleed the radiators and restart the unit.",
    ),
)


def sample_inputs(prompts: Prompts) -> list[str]:
    """Build the model's inputs for the sample: all queries, then all passages."""
    queries = [prompts.of_query(query) for query, _ in SAMPLE_PAIRS]
    return queries + [prompts.of_passage(Passage("", text)) for _, text in SAMPLE_PAIRS]


def calibration_inputs(prompts: Prompts, passages: Sequence[Passage]) -> list[str]:
    """Build further inputs for calibration: longer texts made of the sample, and the user's own passages."""
    texts = [text for _, text in SAMPLE_PAIRS]
    long = [Passage("", " ".join(texts[start::2])) for start in range(2)]
    return [prompts.of_passage(passage) for passage in [*long, *passages]]
