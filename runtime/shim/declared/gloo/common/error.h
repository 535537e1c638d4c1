// Named by the headers of PyTorch, which use nothing of it.
#pragma once
