// What both kernels share: tile registers of the matrix unit (Intel AMX) and buffers for them.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace tiles {

// A tile register holds 16 rows of 64 bytes. As a left operand these are 16 rows of 32 bf16 numbers, as a
// sum 16 rows of 16 floats. A right operand of 32 x 16 lies in pairs of rows: [pair][column][2].
constexpr int64_t kRows = 16;
constexpr int64_t kDepth = 32;
constexpr int64_t kSize = kRows * kDepth;  // bf16 numbers in a tile
constexpr int kRowBytes = 64;

using bf16 = uint16_t;

// 2^x, to 1e-7 of itself.
inline __m512 power_of_two(__m512 x) {
    const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 part = _mm512_sub_ps(x, whole);
    // Interpolated at Chebyshev's points of [-1/2, 1/2], weighted for the relative error.
    __m512 power = _mm512_set1_ps(0.0013266970636f);
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(0.0096754599362f));
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(0.0555074252188f));
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(0.2402212172636f));
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(0.6931469440460f));
    power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(1.0000001192093f));
    return _mm512_scalef_ps(power, whole);
}

// A cache line: what vectors are made of where loads must be aligned.
struct alignas(64) Line {
    uint8_t bytes[64];
};

// Memory of a thread that lasts from call to call: fresh memory would be handed out page by page, every time.
template <typename T>
class Buffer {
  public:
    T* reserve(int64_t count) {
        const size_t lines = (count * sizeof(T) + sizeof(Line) - 1) / sizeof(Line);
        if (lines > n_lines_) {
            lines_.reset(new Line[lines]);
            n_lines_ = lines;
        }
        return reinterpret_cast<T*>(lines_.get());
    }

  private:
    std::unique_ptr<Line[]> lines_;
    size_t n_lines_ = 0;
};

// Have everything stored before what follows loads tiles: not every compiler knows which memory a tile load reads.
inline void settle() { asm volatile("" ::: "memory"); }

// All eight registers at full size for as long as it lives, on this thread.
class Registers {
  public:
    Registers() {
        alignas(64) struct {
            uint8_t palette = 1, start = 0, reserved[14] = {};
            uint16_t row_bytes[16] = {};
            uint8_t rows[16] = {};
        } shape;
        for (int tile = 0; tile < 8; tile++) {
            shape.row_bytes[tile] = kRowBytes;
            shape.rows[tile] = kRows;
        }
        asm volatile("" : : "r"(&shape) : "memory");
        _tile_loadconfig(&shape);
    }
    ~Registers() { _tile_release(); }
    Registers(const Registers&) = delete;
};

}  // namespace tiles
