/// Decodes and computes the tile instructions that onoma's kernels use: configuration, loads, stores, and
/// products of bfloat16 and of bytes (Intel SDM volume 2; chapter 2 for the encoding).
#include "tiles/emulator.hpp"

#include <immintrin.h>
#include <signal.h>
#include <ucontext.h>

#include <atomic>
#include <cstdint>
#include <cstring>

namespace test {
namespace {

std::atomic<long> computed = 0;

struct tile {
  int rows = 0;
  int row_bytes = 0;
  alignas(64) std::uint8_t data[16][64] = {};
};
/// The registers of a thread; `configured` is false before ldtilecfg and after tilerelease.
struct tile_unit {
  bool configured = false;
  tile tiles[8];
};
thread_local tile_unit unit;

using words = std::uint32_t __attribute__((vector_size(64)));
using floats = float __attribute__((vector_size(64)));

/// An instruction of VEX.128, map 0F38, W = 0, taken apart.
struct instruction {
  int prefix = 0;  // VEX.pp: none, 66, F3, F2
  int opcode = 0;
  int third = 0;  // VEX.vvvv
  int mode = 0;   // of ModRM
  int reg = 0;
  int rm = 0;
  const std::uint8_t* address = nullptr;  // of a memory operand
  std::ptrdiff_t stride = 0;              // between the rows of a tile in memory
  int length = 0;
};

/// Whether `code` is an instruction of the kind that this file computes.
bool decode(const std::uint8_t* code, const greg_t* registers, instruction& found) {
  constexpr int numbers[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                               REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  const auto value = [&](int number) { return static_cast<std::intptr_t>(registers[numbers[number]]); };
  if (code[0] != 0xC4 || (code[1] & 31) != 2 || (code[2] & 0x84) != 0) return false;
  const int x = (code[1] & 0x40) == 0 ? 8 : 0;
  const int b = (code[1] & 0x20) == 0 ? 8 : 0;
  found.prefix = code[2] & 3;
  found.third = ~code[2] >> 3 & 15;
  found.opcode = code[3];
  found.mode = code[4] >> 6;
  found.reg = code[4] >> 3 & 7;
  found.rm = code[4] & 7;
  found.length = 5;
  if (found.mode == 3) return true;
  std::intptr_t address = 0;
  bool relative = false;
  int displacement = found.mode == 1 ? 1 : found.mode == 2 ? 4 : 0;
  if (found.rm == 4) {
    const int sib = code[found.length++];
    const int index = (sib >> 3 & 7) | x;
    found.stride = index == 4 ? 0 : value(index) << (sib >> 6);
    if (found.mode == 0 && (sib & 7) == 5) {
      displacement = 4;
    } else {
      address = value((sib & 7) | b);
    }
  } else if (found.mode == 0 && found.rm == 5) {
    displacement = 4;
    relative = true;
  } else {
    address = value(found.rm | b);
  }
  if (displacement == 1) address += static_cast<std::int8_t>(code[found.length]);
  if (displacement == 4) {
    std::int32_t far = 0;
    std::memcpy(&far, code + found.length, 4);
    address += far;
  }
  found.length += displacement;
  if (relative) address += reinterpret_cast<std::intptr_t>(code) + found.length;
  found.address = reinterpret_cast<const std::uint8_t*>(address);
  return true;
}

/// Palette 1: bytes per row from byte 16 on, rows from byte 48 on.
bool configure(const std::uint8_t* layout) {
  if (layout[0] != 1 || layout[1] != 0) return false;
  unit = {};
  for (int t = 0; t < 8; ++t) {
    std::uint16_t row_bytes = 0;
    std::memcpy(&row_bytes, layout + 16 + 2 * t, 2);
    unit.tiles[t].row_bytes = row_bytes;
    unit.tiles[t].rows = layout[48 + t];
    if (row_bytes > 64 || unit.tiles[t].rows > 16) return false;
  }
  unit.configured = true;
  return true;
}

void load(tile& to, const instruction& i) {
  std::memset(to.data, 0, sizeof(to.data));
  for (int r = 0; r < to.rows; ++r) {
    std::memcpy(to.data[r], i.address + r * i.stride, static_cast<std::size_t>(to.row_bytes));
  }
}

void store(const tile& from, const instruction& i) {
  for (int r = 0; r < from.rows; ++r) {
    std::memcpy(const_cast<std::uint8_t*>(i.address) + r * i.stride, from.data[r],
                static_cast<std::size_t>(from.row_bytes));
  }
}

/// Whether a product of `a` and `b` may be added to `c`: #UD otherwise.
bool fit(const tile& c, const tile& a, const tile& b) {
  return &a != &b && &a != &c && &b != &c && c.rows == a.rows && c.row_bytes == b.row_bytes &&
         a.row_bytes == 4 * b.rows && c.rows > 0 && c.row_bytes > 0;
}

template <class Vector>
Vector row_of(const tile& t, int r) {
  Vector row;
  std::memcpy(&row, t.data[r], sizeof(row));
  return row;
}

words word_of(const tile& t, int r, int k) {
  std::uint32_t word = 0;
  std::memcpy(&word, t.data[r] + 4 * k, 4);
  return words{} + word;
}

/// Sums of even and of odd steps of depth are kept apart, from zero, and added to C in the end. Products
/// of two bfloat16 are exact in float, so that it does not matter whether they are fused.
void multiply_bf16(tile& c, const tile& a, const tile& b) {
  const auto low = [](words w) { return reinterpret_cast<floats>(w << 16); };
  const auto high = [](words w) { return reinterpret_cast<floats>(w & 0xFFFF0000U); };
  for (int m = 0; m < c.rows; ++m) {
    floats even = {};
    floats odd = {};
    for (int k = 0; k < a.row_bytes / 4; ++k) {
      const words x = word_of(a, m, k);
      const auto y = row_of<words>(b, k);
      even += low(x) * low(y);
      odd += high(x) * high(y);
    }
    const floats sum = row_of<floats>(c, m) + (even + odd);
    std::memcpy(c.data[m], &sum, sizeof(sum));
  }
}

/// Unsigned bytes of A, signed bytes of B, sums that wrap around.
void multiply_unsigned_signed(tile& c, const tile& a, const tile& b) {
  for (int m = 0; m < c.rows; ++m) {
    auto sum = row_of<words>(c, m);
    for (int k = 0; k < a.row_bytes / 4; ++k) {
      const words x = word_of(a, m, k);
      const auto y = row_of<words>(b, k);
      for (int byte = 0; byte < 4; ++byte) {
        const words unsigned_byte = x >> (8 * byte) & 255;
        const words shifted = y >> (8 * byte) & 255;
        sum += unsigned_byte * ((shifted ^ 128) - 128);
      }
    }
    std::memcpy(c.data[m], &sum, sizeof(sum));
  }
}

/// False for what the processor would refuse.
bool compute(const instruction& i) {
  enum prefixes { none, p66, pf3, pf2 };
  const bool in_memory = i.mode != 3;
  tile* const t = unit.tiles;
  if (i.opcode == 0x49 && i.prefix == none && in_memory) return configure(i.address);
  if (!unit.configured) return i.opcode == 0x49 && i.prefix == none;  // tilerelease may come twice
  if (i.opcode == 0x49 && i.prefix == none) {
    unit = {};
    return i.reg == 0 && i.rm == 0;
  }
  if (i.opcode == 0x49 && i.prefix == pf2 && !in_memory) {
    std::memset(t[i.reg].data, 0, sizeof(t[i.reg].data));
    return true;
  }
  if (i.opcode == 0x4B && in_memory && i.rm == 4) {
    if (i.prefix == pf2) load(t[i.reg], i);
    if (i.prefix == pf3) store(t[i.reg], i);
    return i.prefix == pf2 || i.prefix == pf3;
  }
  if (in_memory || i.third > 7 || !fit(t[i.reg], t[i.rm], t[i.third])) return false;
  if (i.opcode == 0x5C && i.prefix == pf3) {
    multiply_bf16(t[i.reg], t[i.rm], t[i.third]);
    return true;
  }
  if (i.opcode == 0x5E && i.prefix == p66) {
    multiply_unsigned_signed(t[i.reg], t[i.rm], t[i.third]);
    return true;
  }
  return false;
}

void on_illegal_instruction(int, siginfo_t*, void* context) {
  _mm_setcsr(0x9FC0);  // all exceptions masked, to nearest, subnormal numbers are zero on both sides
  auto* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto* code = reinterpret_cast<const std::uint8_t*>(registers[REG_RIP]);
  instruction found;
  if (decode(code, registers, found) && compute(found)) {
    registers[REG_RIP] += found.length;
    computed.fetch_add(1, std::memory_order_relaxed);
  } else {
    signal(SIGILL, SIG_DFL);  // and the instruction is tried once more
  }
}

}  // namespace

void emulate_tiles() {
  struct sigaction action = {};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGILL, &action, nullptr);
}

long emulated_tile_instructions() { return computed; }

}  // namespace test
