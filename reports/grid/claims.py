"""What papers claim for the mechanisms that a grid may name, on their own data.

Claims are quoted as such and only where they stand in the paper's abstract, tables or the authors'
own pages; a mechanism whose figures could not be checked there is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from reports.language import english


@dataclass(frozen=True)
class Claim:
    """One claim: where it was made, on what data, and what it says; the last two are said."""

    paper: str
    task: str
    claim: str


CLAIMS: dict[str, Claim] = {
    "sae": Claim(
        "Hierarchical attention-based age estimation and bias analysis (arXiv 2103.09882)",
        english("age, MORPH II, people of the test part unseen"),
        english("MAE 2.53 years for the whole model"),
    ),
    "tnet": Claim(
        "Hard-attention for scalable image classification (NeurIPS 2021, arXiv 2102.10212)",
        english("classification of satellite images, fMoW at 896 px"),
        english(
            "more accurate than baselines of the same resolution at up to 2.5 times the speed; "
            "of the whole system, of which the weighting of features is one part"
        ),
    ),
    "mlb": Claim(
        "Hadamard product for low-rank bilinear pooling (ICLR 2017)",
        english("questions about images, VQA v1"),
        english("accuracy 65.07 %"),
    ),
    "mcb": Claim(
        "Multimodal compact bilinear pooling (EMNLP 2016)",
        english("questions about images, VQA v1"),
        english("accuracy 65.38 %"),
    ),
    "hiecoatt": Claim(
        "Hierarchical question-image co-attention (NIPS 2016)",
        english("questions about images, VQA v1"),
        english("accuracy 62.1 %"),
    ),
    "ban": Claim(
        "Bilinear attention networks (NeurIPS 2018)",
        english("questions about images, VQA v2"),
        english("accuracy 70.04 % on test-dev, 70.35 % on test-std"),
    ),
    "mcan": Claim(
        "Deep modular co-attention networks (CVPR 2019)",
        english("questions about images, VQA v2"),
        english("accuracy 70.63 %"),
    ),
    "second_order": Claim(
        "Bilinear CNN models for fine-grained recognition (ICCV 2015)",
        english("species of birds, CUB-200"),
        english("accuracy 84.1 %, of two networks whose features are pooled so"),
    ),
}
