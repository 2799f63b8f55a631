"""The papers that several modules cite, each in full here and nowhere else."""

HE_2016 = "He et al. 2016, Deep residual learning for image recognition"
ISOLA_2017 = "Isola, Zhu, Zhou, Efros 2017, Image-to-image translation with conditional adversarial networks"
LECUN_1990 = "LeCun et al. 1990, Handwritten digit recognition with a back-propagation network"
LECUN_1998 = "LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition"
LUO_2016 = "Luo et al. 2016, Understanding the effective receptive field in deep convolutional neural networks"
SPRINGENBERG_2015 = "Springenberg et al. 2015, Striving for simplicity: the all convolutional net"
ZHANG_2019 = "Zhang 2019, Making convolutional networks shift-invariant again"
