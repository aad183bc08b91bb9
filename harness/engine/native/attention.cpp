// Self-attention of short inputs in bf16 on the matrix unit.
//
// One input and one head at a time: keys and values are laid out as right operands once, then 16 queries at a
// time are scored, weighted by a softmax in fp32 and summed. Nothing of the size T x T leaves the caches. As in
// the usual fused kernels the weights are rounded to bf16 before they meet the values, and what they sum to is
// divided out at the end.
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16")

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tiles.h"

using namespace tiles;

namespace {

// Lay 16 keys of 32 numbers out as a right operand: a transposition of pairs.
void lay_out_keys(const bf16* keys, int64_t stride, int64_t count, bf16* tile) {
    __m512i a[16], b[16];
    for (int i = 0; i < 16; i++) a[i] = i < count ? _mm512_loadu_si512(keys + i * stride) : _mm512_setzero_si512();
    for (int i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
        a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
        a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
        a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        b[i] = _mm512_shuffle_i32x4(a[i], a[4 + i], 0x88);
        b[4 + i] = _mm512_shuffle_i32x4(a[i], a[4 + i], 0xdd);
        b[8 + i] = _mm512_shuffle_i32x4(a[8 + i], a[12 + i], 0x88);
        b[12 + i] = _mm512_shuffle_i32x4(a[8 + i], a[12 + i], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        _mm512_store_si512(tile + i * kDepth, _mm512_shuffle_i32x4(b[i], b[8 + i], 0x88));
        _mm512_store_si512(tile + (4 + i) * kDepth, _mm512_shuffle_i32x4(b[4 + i], b[12 + i], 0x88));
        _mm512_store_si512(tile + (8 + i) * kDepth, _mm512_shuffle_i32x4(b[i], b[8 + i], 0xdd));
        _mm512_store_si512(tile + (12 + i) * kDepth, _mm512_shuffle_i32x4(b[4 + i], b[12 + i], 0xdd));
    }
}

// Lay 32 values of 32 numbers out as two right operands: neighbours interleaved.
void lay_out_values(const bf16* values, int64_t stride, int64_t count, bf16* tile_pair) {
    for (int64_t pair = 0; pair < kRows; pair++) {
        const bf16* at = values + 2 * pair * stride;
        __m512i even = 2 * pair < count ? _mm512_loadu_si512(at) : _mm512_setzero_si512();
        __m512i odd = 2 * pair + 1 < count ? _mm512_loadu_si512(at + stride) : _mm512_setzero_si512();
        __m512i low = _mm512_unpacklo_epi16(even, odd), high = _mm512_unpackhi_epi16(even, odd);
        __m512i first = _mm512_shuffle_i32x4(low, high, 0x44), second = _mm512_shuffle_i32x4(low, high, 0xee);
        _mm512_store_si512(tile_pair + pair * kDepth, _mm512_shuffle_i32x4(first, first, 0xd8));
        _mm512_store_si512(tile_pair + kSize + pair * kDepth, _mm512_shuffle_i32x4(second, second, 0xd8));
    }
}

// Bring the next head's rows near: they lie a whole row of all heads apart, where no prefetcher looks.
void prefetch(const bf16* query, int64_t part, int64_t stride, int64_t length, int64_t size) {
    for (int64_t token = 0; token < length; token++) {
        for (int64_t number = 0; number < size; number += kDepth) {
            const bf16* at = query + token * stride + number;
            _mm_prefetch(at, _MM_HINT_T1);
            _mm_prefetch(at + part, _MM_HINT_T1);
            _mm_prefetch(at + 2 * part, _MM_HINT_T1);
        }
    }
}

// The steps on one input and head, in the buffers of this thread.
class Head {
  public:
    Head(int64_t size, int64_t longest)
        : size_(size),
          depths_(size / kDepth),
          room_((longest + 63) / 64 * 64),
          keys_(buffers().keys.reserve(room_ * size)),
          values_(buffers().values.reserve(room_ * size)),
          weights_(buffers().weights.reserve(kRows * room_)),
          queries_(buffers().queries.reserve(kRows * size)),
          scores_(buffers().scores.reserve(kRows * room_)),
          sums_(buffers().sums.reserve(kRows * size)) {}

    void lay_out(const bf16* keys, const bf16* values, int64_t stride, int64_t length) {
        length_ = length;
        for (int64_t key = 0; key < length; key += kRows) {
            for (int64_t depth = 0; depth < depths_; depth++) {
                lay_out_keys(keys + key * stride + depth * kDepth, stride, std::min(kRows, length - key),
                             keys_ + (key / kRows * depths_ + depth) * kSize);
            }
        }
        for (int64_t key = 0; key < length; key += kDepth) {
            for (int64_t depth = 0; depth < depths_; depth++) {
                lay_out_values(values + key * stride + depth * kDepth, stride, length - key,
                               values_ + (key / kDepth * depths_ + depth) * 2 * kSize);
            }
        }
    }

    // Attend from `rows` queries, at most 16; the first is token `first` of the input.
    void attend(const bf16* queries, int64_t stride, int64_t rows, int64_t first, float scale, bool is_causal,
                bf16* out, int64_t out_stride) {
        score(queries, stride, rows);
        for (int64_t row = 0; row < rows; row++) weigh(row, is_causal ? first + row + 1 : length_, scale);
        sum();
        for (int64_t row = 0; row < rows; row++) {
            const __m512 share = _mm512_set1_ps(shares_[row]);
            for (int64_t at = 0; at < size_; at += kDepth) {
                const float* from = sums_ + row * size_ + at;
                __m512 low = _mm512_mul_ps(_mm512_load_ps(from), share);
                __m512 high = _mm512_mul_ps(_mm512_load_ps(from + 16), share);
                _mm512_storeu_si512(out + row * out_stride + at, (__m512i)_mm512_cvtne2ps_pbh(high, low));
            }
        }
    }

  private:
    struct Buffers {
        Buffer<bf16> keys, values, weights, queries;
        Buffer<float> scores, sums;
    };

    static Buffers& buffers() {
        static thread_local Buffers own;
        return own;
    }

    void score(const bf16* queries, int64_t stride, int64_t rows) {
        if (rows < kRows) {  // the rows behind belong to nobody
            std::memset(queries_, 0, kRows * size_ * sizeof(bf16));
            for (int64_t row = 0; row < rows; row++) {
                std::memcpy(queries_ + row * size_, queries + row * stride, size_ * sizeof(bf16));
            }
            queries = queries_;
            stride = size_;
        }
        settle();
        const int64_t next = depths_ * kSize;
        // Columns past the last key hold anything: `weigh` does not look at them.
        for (int64_t key = 0; key < length_; key += 4 * kRows) {
            const bf16* at = keys_ + key / kRows * next;
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
            for (int64_t depth = 0; depth < depths_; depth++, at += kSize) {
                _tile_loadd(4, queries + depth * kDepth, stride * sizeof(bf16));
                _tile_loadd(6, at, kRowBytes);
                _tile_loadd(7, at + next, kRowBytes);
                _tile_dpbf16ps(0, 4, 6);
                _tile_dpbf16ps(1, 4, 7);
                _tile_loadd(6, at + 2 * next, kRowBytes);
                _tile_loadd(7, at + 3 * next, kRowBytes);
                _tile_dpbf16ps(2, 4, 6);
                _tile_dpbf16ps(3, 4, 7);
            }
            float* to = scores_ + key;
            _tile_stored(0, to, room_ * sizeof(float));
            _tile_stored(1, to + 16, room_ * sizeof(float));
            _tile_stored(2, to + 32, room_ * sizeof(float));
            _tile_stored(3, to + 48, room_ * sizeof(float));
        }
    }

    // Turn the scores of a query into weights of the first `seen` keys, and note what they sum to.
    void weigh(int64_t row, int64_t seen, float scale) {
        const float* scores = scores_ + row * room_;
        bf16* weights = weights_ + row * room_;
        const int64_t whole = seen / 16;
        const __mmask16 rest = static_cast<__mmask16>((1u << seen % 16) - 1);
        __m512 top = _mm512_set1_ps(-INFINITY);
        for (int64_t chunk = 0; chunk < whole; chunk++) {
            top = _mm512_max_ps(top, _mm512_load_ps(scores + chunk * 16));
        }
        if (rest) top = _mm512_mask_max_ps(top, rest, top, _mm512_load_ps(scores + whole * 16));
        const __m512 factor = _mm512_set1_ps(scale);
        const __m512 highest = _mm512_mul_ps(_mm512_set1_ps(_mm512_reduce_max_ps(top)), factor);
        __m512 total = _mm512_setzero_ps();
        for (int64_t chunk = 0; chunk < (length_ + kDepth - 1) / kDepth * 2; chunk++) {
            __m512 weight = _mm512_setzero_ps();
            if (chunk < whole || (chunk == whole && rest)) {
                weight = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(scores + chunk * 16), factor, highest));
                if (chunk == whole) weight = _mm512_maskz_mov_ps(rest, weight);
            }
            total = _mm512_add_ps(total, weight);
            _mm256_store_si256(reinterpret_cast<__m256i*>(weights + chunk * 16),
                               (__m256i)_mm512_cvtneps_pbh(weight));
        }
        shares_[row] = 1.0f / _mm512_reduce_add_ps(total);
    }

    void sum() {
        settle();
        for (int64_t depth = 0; depth < depths_; depth++) {
            _tile_zero(0);
            _tile_zero(1);
            for (int64_t key = 0; key < length_; key += kDepth) {
                const bf16* at = values_ + (key / kDepth * depths_ + depth) * 2 * kSize;
                _tile_loadd(4, weights_ + key, room_ * sizeof(bf16));
                _tile_loadd(6, at, kRowBytes);
                _tile_loadd(7, at + kSize, kRowBytes);
                _tile_dpbf16ps(0, 4, 6);
                _tile_dpbf16ps(1, 4, 7);
            }
            _tile_stored(0, sums_ + depth * kDepth, size_ * sizeof(float));
            _tile_stored(1, sums_ + depth * kDepth + 16, size_ * sizeof(float));
        }
    }

    const int64_t size_, depths_, room_;
    int64_t length_ = 0;
    bf16 *const keys_, *const values_, *const weights_, *const queries_;
    float *const scores_, *const sums_;
    float shares_[kRows];
};

}  // namespace

// Attend within inputs that lie one after the other.
//
// qkv: (N, 3 * heads * size), queries, keys and values side by side; size is a multiple of 32.
// first, length: of each input, in tokens; longest: the largest length.
// out: (N, heads * size).
extern "C" __attribute__((visibility("default"))) void attend(
    const bf16* qkv, const int64_t* first, const int64_t* length, int64_t n_inputs, int64_t longest, int64_t heads,
    int64_t size, int is_causal, bf16* out, int threads) {
    const int64_t part = heads * size, stride = 3 * part;
    const float scale = static_cast<float>(M_LOG2E / std::sqrt(static_cast<double>(size)));
#pragma omp parallel num_threads(threads)
    {
        Head head(size, longest);
        Registers registers;
#pragma omp for schedule(static)
        for (int64_t unit = 0; unit < n_inputs * heads; unit++) {
            const int64_t input = unit / heads, offset = unit % heads * size;
            const bf16* query = qkv + first[input] * stride + offset;
            if (unit % heads + 1 < heads) prefetch(query + size, part, stride, length[input], size);
            head.lay_out(query + part, query + 2 * part, stride, length[input]);
            for (int64_t token = 0; token < length[input]; token += kRows) {
                head.attend(query + token * stride, stride, std::min(kRows, length[input] - token), token, scale,
                            is_causal != 0, out + (first[input] + token) * part + offset, part);
            }
        }
    }
}
