#pragma once

namespace xtg {}  // namespace xtg
