/// AMX tiles in software, so that kernels made for them are tested on machines without.
#pragma once

namespace test {

/// From now on a signal handler computes what the tile instructions of this process would (Intel SDM
/// volume 2, TDPBF16PS and its neighbours): the machine code under test is the very same that processors
/// with tiles run. Kernels must need nothing beyond AVX-512 otherwise. What the processor would refuse (shapes
/// that do not fit the configuration, an instruction that is not known here) ends the process with SIGILL.
void emulate_tiles();

/// How many tile instructions were computed since.
long emulated_tile_instructions();

}  // namespace test
