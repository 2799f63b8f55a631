"""The lecture's claims in the order of its slides: the slide's own words, and what they say in English.

A claim is here once; experiments say how they check it (`lab.declare.evidence.Evidence`).
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Claim:
    """One claim of the lecture.

    Attributes:
        slide: the slide's heading.
        words: the slide's own words; where it only shows a picture, the heading says it.
        statement: what is claimed, in English.
        leading: the experiment whose answer comes first, where several bear on it and that is not the lecture's first.
        unjudged: why no experiment bears on it.
    """

    slide: str
    words: str
    statement: str
    leading: str = ""
    unjudged: str = "No experiment tests this yet."


CLAIMS: dict[str, Claim] = {
    "pixels": Claim(
        "Как компьютер видит картинку",
        "Матрица яркостей пикселей … Яркости пикселей от 0 до 255 … x_norm = x/255 − 0.5",
        "A picture is a matrix of brightnesses from 0 to 255 (three of them in colour); a network gets x/255 − 0.5.",
    ),
    "fc-relearns": Claim(
        "Не, так не работает!",
        "Мы учим те же самые «признаки кота» в разных областях картинки",
        "A fully connected network learns the same features again in each part of the picture.",
    ),
    "fc-wastes-examples": Claim(
        "Не, так не работает!",
        "и не полностью используем наши прецеденты!",
        "A fully connected network does not make full use of its examples.",
        leading="sample-efficiency",
    ),
    "fc-fails-elsewhere": Claim(
        "Не, так не работает!",
        "А вдруг нам покажут кота в другой части картинки?",
        "A fully connected network fails when the object is in another part of the picture.",
        leading="shift",
    ),
    "filters": Claim(
        "Свертки применяют к картинкам давно",
        "Поиск краев … На однотонной заливке дает ноль (черный) … Повышение резкости … Размытие",
        "The edge kernel (8 amid −1s) finds edges and gives 0 on a flat area; the sharpening kernel (5 amid −1s and "
        "0s) sharpens; nine times 1/9 blurs.",
    ),
    "correlation": Claim(
        "Свертка похожа на корреляцию с шаблоном",
        "Max = 2 … Max = 1 … Простой классификатор",
        "A convolution answers most where the picture resembles its kernel: the template \\ scores 2 on its own "
        "kind and 1 on the other, a simple classifier.",
    ),
    "equivariance": Claim(
        "Свертка и сдвиг коммутативны",
        "Свертка и сдвиг коммутативны",
        "Convolution commutes with shift: conv(shift(x)) = shift(conv(x)).",
    ),
    "shared-gradient": Claim(
        "Как считать градиенты",
        "Суммируем градиенты по всем использованием веса w_4 !",
        "The gradient of a shared weight is the sum of the gradients of its uses.",
    ),
    "parameters": Claim(
        "В сверточном слое меньше параметров",
        "Картинка 300x300 … Свертка 5x5 – 26 параметров … В полно-связном слое – 8.1×10^9 параметров",
        "From 300×300 to 300×300 pixels a 5×5 convolution has 26 parameters, a fully connected layer 8.1×10⁹.",
    ),
    "colour": Claim(
        "Цветная картинка",
        "Цветная картинка – это тензор W × H × C_in … количество каналов (3 RGB канала)",
        "A colour picture is a tensor of width × height × 3 channels.",
    ),
    "one-filter": Claim(
        "Одного фильтра мало!",
        "В одном пикселе появляется глубина с разными характеристиками пикселя изображения",
        "One filter is not enough: a pixel needs depth, several filters that describe it.",
    ),
    "formula": Claim(
        "Одного фильтра мало!",
        "(W_k * H_k * C_in + 1) * C_out",
        "A convolutional layer has (Wk·Hk·Cin + 1)·Cout parameters.",
    ),
    "second-layer": Claim(
        "Да и одного сверточного слоя мало!",
        "Нейроны первого слоя смотрят на кусочек 3×3. А что если кошка больше? Нужен второй слой!",
        "Neurons of the first layer see 3×3 pixels; a larger object needs a second layer.",
    ),
    "rf-linear": Claim(
        "N сверточных слоев",
        "На N-ом слое поле обзора (2N + 1) × (2N + 1). Если кот 300×300, то нам надо 150 слоев! Многовато...",
        "N layers of 3×3 see (2N+1)×(2N+1) pixels, so 300×300 needs 150 layers.",
    ),
    "rf-faster": Claim(
        "Нужно растить поле обзора быстрее!",
        "Можно увеличить шаг свертки!",
        "A larger stride, or pooling, makes the receptive field grow faster.",
    ),
    "max-invariance": Claim(
        "Давайте вспомним инвариантность к сдвигу!",
        "Max = 2 … Не изменился … Max = 2",
        "The largest response does not change when the picture shifts.",
    ),
    "pooling": Claim(
        "Пулинг слой",
        "Работает почти как свертка, только вместо свертки берет максимум (или среднее).",
        "Pooling takes the maximum (or mean) of its window.",
    ),
    "pooling-gradient": Claim(
        "Как считать градиент для пулинга",
        "Градиент 0 по немаксимальным входам … Для максимального входа градиент 1.",
        "The gradient of max pooling is 1 for the largest input and 0 for the rest.",
    ),
    "lenet": Claim(
        "Соберем это все в сверточную сеть",
        "LeNet-5 архитектура (1998) для распознавания рукописных цифр (датасет MNIST)",
        "LeNet-5 recognises handwritten digits.",
        leading="lenet",
    ),
    "softmax-logistic": Claim(
        "Softmax",
        "Softmax — это обобщение логистической функции для многомерного случая",
        "Softmax generalises the logistic function: with two classes they are the same.",
    ),
    "softmax": Claim(
        "Softmax",
        "Преобразует вектор значений в такие, что каждое из них на отрезке [0,1] и в сумме они дают 1",
        "Softmax gives values in [0, 1] that sum to 1.",
    ),
    "cross-entropy": Claim(
        "Log loss (cross-entropy)",
        "Потери для классификации на K классов: −Σ log(p_k) [y = k]",
        "The loss of a classifier of K classes is −Σ log p_k [y = k].",
    ),
    "hierarchy": Claim(
        "Нейросеть учит иерархические шаблоны",
        "Глубокая нейронная сеть: входы, на которые реагируют нейроны",
        "Neurons of deeper layers respond to larger and more telling patterns.",
    ),
    "finds-patterns": Claim(
        "Нейросеть учит иерархические шаблоны",
        "Имея достаточное количество обучающих примеров машина сама найдет все эти шаблоны в данных.",
        "Given enough examples, training alone finds these patterns in the data.",
        leading="enough-examples",
    ),
    "see-inside": Claim(
        "Демо: визуализация обученной сети для MNIST",
        "Демо: визуализация обученной сети для MNIST",
        "One can look inside a trained digit network and watch it work.",
        unjudged="Shown, not measured: make demo.",
    ),
    "image-to-image": Claim(
        "Приложение: image to image",
        "Приложение: image to image",
        "A convolutional network can turn edges into a picture.",
    ),
    "doodles": Claim(
        "Приложение: рисунки от руки",
        "Приложение: рисунки от руки",
        "A convolutional network recognises hand drawings (Quick, Draw!).",
    ),
}
