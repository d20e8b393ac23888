"""Patch AE: what is learned from the images of one class.

A frozen pretrained backbone gives features; a patch-wise auto-encoder learns, with artificial
defects, to reconstruct each patch from its own vector; a test patch is compared with the nearest
vectors of normal patches (Cui, Liu, Lian: Patch-wise Auto-Encoder for Visual Anomaly Detection,
ICIP 2023, arXiv 2308.00429). The paper's code is not public: normalization, losses, defects,
memory, heads and scoring are this package's own.

    images    files -> tensors                 network   features -> vector -> patch
    backbone  tensors -> features              memory    vectors -> distances to normal ones
    defects   artificial defects               heads     differences -> defect or harmless
    samples   images -> patches to learn from  training  images -> a `PatchAE`
    detector  the trained `PatchAE`            metrics   scores -> AUROC and decisions
    split     which images are learned         key       what determines a model

Third-party imports are torch, torchvision, timm, numpy, and the readers of files (Pillow,
safetensors); scikit-learn and scipy in `metrics` alone.
"""
