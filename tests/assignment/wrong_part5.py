"""Part 5: wrong stems and wirings of a ResNet-18."""

CONV = "std::make_unique<nn::Conv2d>(3, width, 3, options, generator)"
OPTIONS = "options{1, 1, false}"
FORWARD = "Variable h = relu((*norm1_)((*conv1_)(x)));"
STRIDE = "const std::size_t stride = i == 1 ? 1 : 2;"


def wrong(name, cause, points, *edits, says=""):
    return {"name": name, "cause": cause, "points": points, "edits": edits, "says": says}


ANSWERS = [
    wrong("ImageNet's stem", "S6,S8,S10", 0, (CONV, CONV.replace("width, 3", "width, 7")), (OPTIONS, "options{2, 3, false}"),
          (FORWARD, FORWARD.replace("relu(", "max_pool2d(relu(").replace("(x)));", "(x))), 3, 2, 1);"))),
    wrong("pooling kept", "S6", 11, (FORWARD, FORWARD.replace("relu(", "max_pool2d(relu(").replace("(x)));", "(x))), 3, 2, 1);"))),
    wrong("stride kept", "S6", 14, (OPTIONS, "options{2, 1, false}")),
    wrong("no padding", "S7", 14, (OPTIONS, "options{1, 0, false}")),
    wrong("first stage halves", "S9,S10", 12, (STRIDE, "const std::size_t stride = 2;")),
    wrong("bias before the norm", "S10", 16, (OPTIONS, "options{1, 1, true}"), says="bias"),
]
