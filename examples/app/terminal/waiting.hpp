#pragma once

namespace xtg::app {

/// To be called first in main. Threads of OpenMP that have nothing to do wait in a loop, and so take processor time
/// from whatever else runs: beside one busy process a training on two threads falls to a third. libgomp reads how long
/// they do so from its environment, when it is loaded. So the program starts itself again, once, as the same process,
/// with GOMP_SPINCOUNT=1000, unless that or OMP_WAIT_POLICY is set already. Where it cannot, it goes on as it is.
void wait_without_spinning(char** argv);

}  // namespace xtg::app
