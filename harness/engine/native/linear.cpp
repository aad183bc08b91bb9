// Linear maps on the matrix unit, with bias, residual and GELU applied while the outputs are at hand.
//
// In bf16 the operands go to the unit as they are. In fp32 each product of floats is made of three products of
// bf16 numbers: a float is the sum of two of them, high + low, but for 2^-17 of itself, so
//     x w  =  x_high w_high + x_high w_low + x_low w_high  (+ x_low w_low, which is left out)
// but for about 2^-16 of |x| |w|. Sums are kept in fp32 in both.
//
// Blocking: a chunk of rows is laid out in tiles that stay in the second-level cache, while the weights, which are
// laid out once and for all, stream past it, 32 columns at a time. In each pass a piece of these columns, small
// enough for the first-level cache, meets all rows of the chunk. An output is summed in an order that the sizes of the map alone
// decide: neither the other rows nor the number of threads changes its bits.
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16")

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "tiles.h"

using namespace tiles;

namespace {

constexpr int64_t kBlock = 32;  // rows and columns of outputs that four registers of sums hold
constexpr int64_t kChunkRows = 256;    // of the left operand, with so much of the depth: second-level cache
constexpr int64_t kChunkDepth = 1024;

// Blocks of depth that one pass takes: in bf16 a piece of 32 columns of weights that fits the first-level cache; in
// fp32, where each number that is loaded meets three others, saving and loading sums costs more than that spares.
template <typename Number>
constexpr int64_t kPassBlocks = std::is_same_v<Number, float> ? kChunkDepth / kDepth : 8;

// What 32 x 32 numbers of an operand take: two tiles, or two of high and two of low parts.
template <typename Number>
constexpr int64_t kRoom = (std::is_same_v<Number, float> ? 4 : 2) * kSize;

__m512 widen(__m256i halves) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

// Lay 32 numbers of a row out at `to`; low parts go two tiles further.
void lay_out_row(const bf16* from, bf16* to) { _mm512_store_si512(to, _mm512_loadu_si512(from)); }

void lay_out_row(const float* from, bf16* to) {
    const __m512 first = _mm512_loadu_ps(from), second = _mm512_loadu_ps(from + 16);
    const __m512i high = (__m512i)_mm512_cvtne2ps_pbh(second, first);
    const __m512 first_left = _mm512_sub_ps(first, widen(_mm512_castsi512_si256(high)));
    const __m512 second_left = _mm512_sub_ps(second, widen(_mm512_extracti64x4_epi64(high, 1)));
    _mm512_store_si512(to, high);
    _mm512_store_si512(to + 2 * kSize, (__m512i)_mm512_cvtne2ps_pbh(second_left, first_left));
}

// Lay `rows` of the left operand out in blocks. Rows that are not there keep what they held: each row of a sum
// depends on its own row alone.
template <typename Number>
void lay_out(const Number* from, int64_t stride, int64_t rows, int64_t depth_blocks, bf16* to) {
    for (int64_t row = 0; row < rows; row += kRows) {
        const int64_t own = std::min(kRows, rows - row);
        bf16* tile = to + row / kBlock * depth_blocks * kRoom<Number> + row % kBlock / kRows * kSize;
        for (int64_t depth = 0; depth < depth_blocks; depth++, tile += kRoom<Number>) {
            for (int64_t r = 0; r < own; r++) {
                lay_out_row(from + (row + r) * stride + depth * kDepth, tile + r * kDepth);
            }
        }
    }
}

void multiply() {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

void load_left(const bf16* at) {
    _tile_loadd(4, at, kRowBytes);
    _tile_loadd(5, at + kSize, kRowBytes);
}

void load_right(const bf16* at) {
    _tile_loadd(6, at, kRowBytes);
    _tile_loadd(7, at + kSize, kRowBytes);
}

// Every row of the sums starts as the same 32 numbers.
void start_sums(const float* bias) {
    _tile_loadd(0, bias, 0);
    _tile_loadd(1, bias + 16, 0);
    _tile_loadd(2, bias, 0);
    _tile_loadd(3, bias + 16, 0);
}

void load_sums(const float* block) {
    _tile_loadd(0, block, kBlock * 4);
    _tile_loadd(1, block + 16, kBlock * 4);
    _tile_loadd(2, block + kRows * kBlock, kBlock * 4);
    _tile_loadd(3, block + kRows * kBlock + 16, kBlock * 4);
}

void store_sums(float* block) {
    _tile_stored(0, block, kBlock * 4);
    _tile_stored(1, block + 16, kBlock * 4);
    _tile_stored(2, block + kRows * kBlock, kBlock * 4);
    _tile_stored(3, block + kRows * kBlock + 16, kBlock * 4);
}

// x (1 + erf(x / sqrt 2)) / 2, the error function by Abramowitz and Stegun, 7.1.26: off by 1.5e-7 at most, and where
// the output is bf16 by 1e-4 of its tail.
template <typename Number>
__m512 gelu(__m512 x) {
    const __m512 one = _mm512_set1_ps(1.0f);
    const __m512 size = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.70710678f));
    const __m512 base = _mm512_fmadd_ps(size, _mm512_set1_ps(0.3275911f), one);
    __m512 t = _mm512_rcp14_ps(base);
    if constexpr (std::is_same_v<Number, float>) {  // a step of Newton's: 14 bits become 24
        t = _mm512_mul_ps(t, _mm512_fnmadd_ps(base, t, _mm512_set1_ps(2.0f)));
    }
    __m512 tail = _mm512_set1_ps(1.061405429f);
    tail = _mm512_fmadd_ps(tail, t, _mm512_set1_ps(-1.453152027f));
    tail = _mm512_fmadd_ps(tail, t, _mm512_set1_ps(1.421413741f));
    tail = _mm512_fmadd_ps(tail, t, _mm512_set1_ps(-0.284496736f));
    tail = _mm512_fmadd_ps(tail, t, _mm512_set1_ps(0.254829592f));
    tail = _mm512_mul_ps(tail, t);
    // exp(-size^2) as a power of two.
    const __m512 power = _mm512_mul_ps(_mm512_mul_ps(size, size), _mm512_set1_ps(-1.44269504f));
    tail = _mm512_mul_ps(tail, power_of_two(power));
    // For x >= 0 erf is 1 - tail, else tail - 1.
    const __m512 half = _mm512_mul_ps(x, _mm512_set1_ps(0.5f));
    const __mmask16 is_negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    const __m512 factor = _mm512_mask_blend_ps(is_negative, _mm512_sub_ps(_mm512_set1_ps(2.0f), tail), tail);
    return _mm512_mul_ps(half, factor);
}

void load(const float* from, __m512& first, __m512& second) {
    first = _mm512_loadu_ps(from);
    second = _mm512_loadu_ps(from + 16);
}

void load(const bf16* from, __m512& first, __m512& second) {
    const __m512i both = _mm512_loadu_si512(from);
    first = widen(_mm512_castsi512_si256(both));
    second = widen(_mm512_extracti64x4_epi64(both, 1));
}

// Of the next 32 columns: a row's own lie a row's length apart, which the processor does not foresee.
template <typename Number>
void fetch(const Number* from) {
    for (int64_t line = 0; line < kBlock; line += kRowBytes / sizeof(Number)) {
        _mm_prefetch(from + line, _MM_HINT_T0);
    }
}

// Outputs go past the caches: they are whole lines, far more than the caches hold, and would be read only to be
// written over.
void store(float* to, __m512 first, __m512 second) {
    _mm512_stream_ps(to, first);
    _mm512_stream_ps(to + 16, second);
}

void store(bf16* to, __m512 first, __m512 second) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

// A linear map, and what follows it.
template <typename Number>
struct Map {
    const Number* inputs;  // (rows, depth)
    int64_t rows, depth;
    const bf16* weights;  // as `pack` lays them out
    int64_t columns;
    const float* bias;       // (columns)
    const Number* residual;  // (rows, columns), or null
    bool has_gelu;
    Number* outputs;  // (rows, columns)
};

// Sums of 32 columns that wait to become outputs. It is done row by row, between the products of the next columns:
// the vector units work while the matrix unit does.
template <typename Number>
class Conclusion {
  public:
    explicit Conclusion(const Map<Number>& map) : map_(map) {}

    void begin(const float* sums, int64_t row, int64_t stop, int64_t column) {
        sums_ = sums;
        at_ = row * map_.columns + column;
        left_ = stop - row;
    }

    void advance(int64_t count) {
        for (; count > 0 && left_ > 0; count--, left_--, sums_ += kBlock, at_ += map_.columns) {
            __m512 first = _mm512_load_ps(sums_), second = _mm512_load_ps(sums_ + 16);
            if (map_.residual != nullptr) {
                __m512 more, still_more;
                load(map_.residual + at_, more, still_more);
                fetch(map_.residual + at_ + kBlock);
                first = _mm512_add_ps(first, more);
                second = _mm512_add_ps(second, still_more);
            }
            if (map_.has_gelu) {
                first = gelu<Number>(first);
                second = gelu<Number>(second);
            }
            store(map_.outputs + at_, first, second);
        }
    }

    void finish() { advance(left_); }

  private:
    const Map<Number>& map_;
    const float* sums_ = nullptr;
    int64_t at_ = 0, left_ = 0;
};

// Add the products of a block of rows and a block of columns to the sums. The same piece of the next columns, if
// there are any, lies `ahead`: the blocks of rows of a chunk bring a share of it each into the second-level cache.
template <typename Number>
void add_products(const bf16* left, const bf16* right, int64_t depth_blocks, int64_t ahead, int64_t share,
                  int64_t n_shares, Conclusion<Number>& before, int64_t rows_a_step) {
    constexpr int64_t lines = kRoom<Number> * sizeof(bf16) / kRowBytes;
    for (int64_t depth = 0; depth < depth_blocks; depth++, left += kRoom<Number>, right += kRoom<Number>) {
        for (int64_t line = share; ahead != 0 && line < lines; line += n_shares) {
            _mm_prefetch(right + ahead + line * kDepth, _MM_HINT_T1);
        }
        load_left(left);
        if constexpr (std::is_same_v<Number, float>) {
            load_right(right + 2 * kSize);
            multiply();
            load_right(right);
            multiply();
            load_left(left + 2 * kSize);
        } else {
            load_right(right);
        }
        multiply();
        before.advance(rows_a_step);
    }
}

// Compute the outputs of some rows and some blocks of columns, on this thread.
template <typename Number>
void compute(const Map<Number>& map, int64_t start, int64_t stop, int64_t first_column, int64_t last_column) {
    const int64_t all_depth_blocks = map.depth / kDepth;
    const int64_t room = std::min(kChunkRows, (stop - start + kBlock - 1) / kBlock * kBlock) * kBlock;
    // Sums wait for the next chunk of depth, or at least until the next columns are done.
    const int64_t n_panels = map.depth > kChunkDepth ? last_column - first_column : 2;
    static thread_local Buffer<bf16> left_buffer;
    static thread_local Buffer<float> sums_buffer;
    bf16* const left =
        left_buffer.reserve(room / kBlock / kBlock * std::min(all_depth_blocks, kChunkDepth / kDepth) * kRoom<Number>);
    float* const sums = sums_buffer.reserve(room * n_panels);
    Conclusion<Number> before(map);
    Registers registers;
    for (int64_t chunk = start; chunk < stop; chunk += kChunkRows) {
        const int64_t chunk_stop = std::min(stop, chunk + kChunkRows);
        const int64_t n_blocks = (chunk_stop - chunk + kBlock - 1) / kBlock;
        for (int64_t deep = 0; deep < all_depth_blocks; deep += kChunkDepth / kDepth) {
            const int64_t depth_blocks = std::min(kChunkDepth / kDepth, all_depth_blocks - deep);
            const int64_t rows_a_step = (kBlock + depth_blocks - 1) / depth_blocks;
            lay_out(map.inputs + chunk * map.depth + deep * kDepth, map.depth, chunk_stop - chunk, depth_blocks,
                    left);
            settle();
            for (int64_t column = first_column; column < last_column; column++) {
                const bf16* right = map.weights + (column * all_depth_blocks + deep) * kRoom<Number>;
                const int64_t ahead = column + 1 < last_column ? all_depth_blocks * kRoom<Number> : 0;
                float* panel = sums + (column - first_column) % n_panels * room;
                for (int64_t pass = 0; pass < depth_blocks; pass += kPassBlocks<Number>) {
                    const int64_t pass_blocks = std::min(kPassBlocks<Number>, depth_blocks - pass);
                    for (int64_t block = 0; block < n_blocks; block++) {
                        float* own = panel + block * kBlock * kBlock;
                        deep + pass == 0 ? start_sums(map.bias + column * kBlock) : load_sums(own);
                        add_products(left + (block * depth_blocks + pass) * kRoom<Number>,
                                     right + pass * kRoom<Number>, pass_blocks, ahead, block, n_blocks, before,
                                     rows_a_step);
                        store_sums(own);
                    }
                }
                if (deep + depth_blocks == all_depth_blocks) {
                    before.finish();
                    before.begin(panel, chunk, chunk_stop, column * kBlock);
                }
            }
        }
        before.finish();
    }
    _mm_sfence();  // the other threads shall see the outputs
}

template <typename Number>
void compute(const Map<Number>& map, int threads) {
#pragma omp parallel num_threads(threads)
    {
        // Two threads share their rows and halve the columns: each reads half of the weights.
        const int64_t halves = omp_get_num_threads() % 2 == 0 ? 2 : 1, half = omp_get_thread_num() % halves;
        const int64_t bands = omp_get_num_threads() / halves, band = omp_get_thread_num() / halves;
        const int64_t row_blocks = (map.rows + kBlock - 1) / kBlock, column_blocks = map.columns / kBlock;
        compute(map, row_blocks * band / bands * kBlock, std::min(map.rows, row_blocks * (band + 1) / bands * kBlock),
                column_blocks * half / halves, column_blocks * (half + 1) / halves);
    }
}

// By an integer instruction: what an element of the vector type is differs between compilers.
bf16 rounded(float value) {
    return static_cast<bf16>(_mm_extract_epi16((__m128i)_mm_cvtneps_pbh(_mm_set_ss(value)), 0));
}

void lay_out_weight(bf16 weight, bf16* at) { *at = weight; }

void lay_out_weight(float weight, bf16* at) {
    const __m512 high = widen(_mm256_set1_epi16(static_cast<short>(*at = rounded(weight))));
    at[2 * kSize] = rounded(weight - _mm512_cvtss_f32(high));
}

template <typename Number>
void pack(const Number* weights, int64_t columns, int64_t depth, bf16* packed, int threads) {
    const int64_t depth_blocks = depth / kDepth;
#pragma omp parallel for num_threads(threads)
    for (int64_t block = 0; block < columns / kBlock * depth_blocks; block++) {
        const Number* from = weights + block / depth_blocks * kBlock * depth + block % depth_blocks * kDepth;
        bf16* to = packed + block * kRoom<Number>;
        for (int64_t column = 0; column < kBlock; column++) {
            for (int64_t k = 0; k < kDepth; k++) {
                bf16* at = to + column / kRows * kSize + k / 2 * 32 + column % kRows * 2 + k % 2;
                lay_out_weight(from[column * depth + k], at);
            }
        }
    }
}

}  // namespace

// The sizes of a map are multiples of 32. `pack_...` lays weights (columns, depth) out: in bf16 as many numbers, in
// fp32 twice as many. `linear_...` computes (rows, columns) = inputs (rows, depth) weights^T + bias, then adds the
// residual (rows, columns) unless it is null, then applies GELU if asked; outputs begin at a multiple of 64 bytes.
#pragma GCC visibility push(default)
extern "C" {

void pack_fp32(const float* weights, int64_t columns, int64_t depth, bf16* packed, int threads) {
    pack(weights, columns, depth, packed, threads);
}

void pack_bf16(const bf16* weights, int64_t columns, int64_t depth, bf16* packed, int threads) {
    pack(weights, columns, depth, packed, threads);
}

void linear_fp32(const float* inputs, int64_t rows, int64_t depth, const bf16* weights, int64_t columns,
                 const float* bias, const float* residual, int has_gelu, float* outputs, int threads) {
    compute(Map<float>{inputs, rows, depth, weights, columns, bias, residual, has_gelu != 0, outputs}, threads);
}

void linear_bf16(const bf16* inputs, int64_t rows, int64_t depth, const bf16* weights, int64_t columns,
                 const float* bias, const bf16* residual, int has_gelu, bf16* outputs, int threads) {
    compute(Map<bf16>{inputs, rows, depth, weights, columns, bias, residual, has_gelu != 0, outputs}, threads);
}

}  // extern "C"
#pragma GCC visibility pop
