// Group normalisation, addition of a shortcut and ReLU in two passes over each image, and 3x3 max pooling,
// for bfloat16 maps with channels last. PyTorch's own kernels for this layout cost more than the convolutions
// between them. Each image's map stays in the core's cache between the passes.

#include <ATen/Parallel.h>
#include <torch/extension.h>

#include <cmath>
#include <cstring>
#include <vector>

namespace {

constexpr int64_t LANES = 16;
constexpr int64_t CHANNELS = 32;  // handled together: two registers
constexpr int64_t REGISTERS = CHANNELS / LANES;
// Vectors of the compiler (GCC and Clang): one register each with AVX-512, several on a smaller machine.
typedef float Floats __attribute__((vector_size(64)));
typedef uint32_t Words __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));
typedef uint8_t Bytes __attribute__((vector_size(16)));

template <typename T>
inline T load(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
inline void store(void* to, const T& value) {
  std::memcpy(to, &value, sizeof value);
}

inline Floats to_float(Halves bits) {
  return load<Floats>(&static_cast<const Words&>(__builtin_convertvector(bits, Words) << 16));
}

inline Halves to_bf16(Floats value) {  // round to nearest, ties to even
  const Words wide = load<Words>(&value);
  return __builtin_convertvector((wide + 0x7fffu + ((wide >> 16) & 1u)) >> 16, Halves);
}

// The bits where the ReLU let them through (its output is not zero), else zero.
inline Halves passed(Halves bits, Halves y) { return bits & static_cast<Halves>(y != 0); }

const uint16_t* bits(const torch::Tensor& t) { return reinterpret_cast<const uint16_t*>(t.const_data_ptr()); }
uint16_t* bits_out(torch::Tensor& t) { return reinterpret_cast<uint16_t*>(t.data_ptr()); }

void check(const torch::Tensor& t, const char* name) {
  TORCH_CHECK(t.scalar_type() == torch::kBFloat16 && t.dim() == 4, name, " must be a 4-d bfloat16 tensor");
  TORCH_CHECK(t.is_contiguous(torch::MemoryFormat::ChannelsLast), name, " must have channels last");
  TORCH_CHECK(t.size(1) % CHANNELS == 0, name, " needs a multiple of ", CHANNELS, " channels, got ", t.size(1));
}

// Per channel: sum of x and of x squared over the pixels of one image.
void sums(const uint16_t* x, int64_t pixels, int64_t channels, float* sum, float* square) {
  for (int64_t c = 0; c < channels; c += CHANNELS) {
    Floats s[REGISTERS] = {}, q[REGISTERS] = {};
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t r = 0; r < REGISTERS; ++r) {
        const Floats v = to_float(load<Halves>(x + p * channels + c + r * LANES));
        s[r] += v;
        q[r] += v * v;
      }
    }
    std::memcpy(sum + c, s, sizeof s);
    std::memcpy(square + c, q, sizeof q);
  }
}

template <bool RELU, bool SHORTCUT>
void normalise(const uint16_t* x, const uint16_t* shortcut, uint16_t* y, const float* scale, const float* shift,
               int64_t pixels, int64_t channels) {
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < channels; c += LANES) {
      const int64_t at = p * channels + c;
      Floats v = to_float(load<Halves>(x + at)) * load<Floats>(scale + c) + load<Floats>(shift + c);
      if (SHORTCUT) v += to_float(load<Halves>(shortcut + at));
      if (RELU) v = v > 0.0f ? v : Floats{};
      store(y + at, to_bf16(v));
    }
  }
}

// Per channel: sum of the gradient and of gradient times x, where the ReLU let it through.
template <bool RELU>
void gradient_sums(const uint16_t* x, const uint16_t* y, const uint16_t* g, int64_t pixels, int64_t channels,
                   float* sum, float* product) {
  for (int64_t c = 0; c < channels; c += CHANNELS) {
    Floats s[REGISTERS] = {}, q[REGISTERS] = {};
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t r = 0; r < REGISTERS; ++r) {
        const int64_t at = p * channels + c + r * LANES;
        Halves through = load<Halves>(g + at);
        if (RELU) through = passed(through, load<Halves>(y + at));
        const Floats d = to_float(through);
        s[r] += d;
        q[r] += d * to_float(load<Halves>(x + at));
      }
    }
    std::memcpy(sum + c, s, sizeof s);
    std::memcpy(product + c, q, sizeof q);
  }
}

template <bool RELU, bool SHORTCUT>
void propagate(const uint16_t* x, const uint16_t* y, const uint16_t* g, uint16_t* gx, uint16_t* gs, const float* a,
               const float* b, const float* offset, int64_t pixels, int64_t channels) {
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < channels; c += LANES) {
      const int64_t at = p * channels + c;
      Halves through = load<Halves>(g + at);
      if (RELU) through = passed(through, load<Halves>(y + at));
      if (SHORTCUT) store(gs + at, through);
      const Floats d = load<Floats>(a + c) * to_float(through) + load<Floats>(offset + c);
      store(gx + at, to_bf16(d + load<Floats>(b + c) * to_float(load<Halves>(x + at))));
    }
  }
}

// One input pixel's gradient, from the output windows that took it: rows i / 2 to r1, columns j / 2 to k1.
void gather(const uint16_t* g, const uint8_t* taken, uint16_t* to, int64_t i, int64_t j, int64_t r1, int64_t k1,
            int64_t columns, int64_t channels) {
  for (int64_t c = 0; c < channels; c += LANES) {
    Floats total = {};
    for (int64_t r = i / 2; r <= r1; ++r) {
      for (int64_t k = j / 2; k <= k1; ++k) {
        const int64_t at = (r * columns + k) * channels + c;
        const uint16_t tap = static_cast<uint16_t>((i - 2 * r + 1) * 3 + (j - 2 * k + 1));
        const Halves mine = __builtin_convertvector(load<Bytes>(taken + at), Halves) == tap;
        total += to_float(load<Halves>(g + at) & mine);
      }
    }
    store(to + c, to_bf16(total));
  }
}

}  // namespace

// x (N, C, H, W), shortcut the same or empty -> y, and mean and 1 / deviation (N, groups, 2).
std::vector<torch::Tensor> norm_forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias,
                                        torch::Tensor shortcut, int64_t groups, double epsilon, bool relu) {
  check(x, "x");
  const bool add = shortcut.numel() > 0;
  if (add) check(shortcut, "shortcut");
  const int64_t channels = x.size(1), pixels = x.size(2) * x.size(3), per = channels / groups;
  auto y = torch::empty_like(x);
  auto statistics = torch::empty({x.size(0), groups, 2}, torch::kFloat);
  const float *w = weight.const_data_ptr<float>(), *o = bias.const_data_ptr<float>();
  float* stat = statistics.data_ptr<float>();
  const uint16_t *xs = bits(x), *ss = add ? bits(shortcut) : nullptr;
  uint16_t* ys = bits_out(y);
  at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
    std::vector<float> sum(channels), square(channels), scale(channels), shift(channels);
    for (int64_t n = begin; n < end; ++n) {
      const int64_t at = n * pixels * channels;
      sums(xs + at, pixels, channels, sum.data(), square.data());
      for (int64_t g = 0; g < groups; ++g) {
        double s = 0.0, q = 0.0;
        for (int64_t c = g * per; c < (g + 1) * per; ++c) s += sum[c], q += square[c];
        const double mean = s / (per * pixels), variance = q / (per * pixels) - mean * mean;
        const double inverse = 1.0 / std::sqrt(std::max(variance, 0.0) + epsilon);
        stat[(n * groups + g) * 2] = mean;
        stat[(n * groups + g) * 2 + 1] = inverse;
        for (int64_t c = g * per; c < (g + 1) * per; ++c) {
          scale[c] = w[c] * inverse;
          shift[c] = o[c] - mean * scale[c];
        }
      }
      const auto run = relu ? (add ? normalise<true, true> : normalise<true, false>)
                            : (add ? normalise<false, true> : normalise<false, false>);
      run(xs + at, add ? ss + at : nullptr, ys + at, scale.data(), shift.data(), pixels, channels);
    }
  });
  return {y, statistics};
}

// Gradients of x, weight, bias and, with ``add``, of the shortcut.
std::vector<torch::Tensor> norm_backward(torch::Tensor g, torch::Tensor x, torch::Tensor y, torch::Tensor weight,
                                         torch::Tensor statistics, int64_t groups, bool relu, bool add) {
  g = g.contiguous(torch::MemoryFormat::ChannelsLast);
  check(g, "gradient");
  const int64_t channels = x.size(1), pixels = x.size(2) * x.size(3), per = channels / groups;
  auto gx = torch::empty_like(x);
  auto gs = add ? torch::empty_like(x) : torch::empty({0}, x.options());
  auto gw = torch::empty({x.size(0), channels}, torch::kFloat), gb = torch::empty_like(gw);
  const float *w = weight.const_data_ptr<float>(), *stat = statistics.const_data_ptr<float>();
  float *gws = gw.data_ptr<float>(), *gbs = gb.data_ptr<float>();
  const uint16_t *xs = bits(x), *ys = bits(y), *in = bits(g);
  uint16_t *out = bits_out(gx), *side = add ? bits_out(gs) : nullptr;
  at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
    std::vector<float> sum(channels), product(channels), a(channels), b(channels), offset(channels);
    for (int64_t n = begin; n < end; ++n) {
      const int64_t at = n * pixels * channels;
      const auto reduce = relu ? gradient_sums<true> : gradient_sums<false>;
      reduce(xs + at, ys + at, in + at, pixels, channels, sum.data(), product.data());
      for (int64_t group = 0; group < groups; ++group) {
        const double mean = stat[(n * groups + group) * 2], inverse = stat[(n * groups + group) * 2 + 1];
        double s = 0.0, q = 0.0;  // of the weighted gradient, and of it times the normalised x
        for (int64_t c = group * per; c < (group + 1) * per; ++c) {
          const double hat = (product[c] - mean * sum[c]) * inverse;
          gws[n * channels + c] = hat;
          gbs[n * channels + c] = sum[c];
          s += w[c] * sum[c];
          q += w[c] * hat;
        }
        const double count = per * pixels;
        for (int64_t c = group * per; c < (group + 1) * per; ++c) {
          a[c] = w[c] * inverse;
          b[c] = -inverse * inverse * q / count;
          offset[c] = -inverse * s / count - b[c] * mean;
        }
      }
      const auto run = relu ? (add ? propagate<true, true> : propagate<true, false>)
                            : (add ? propagate<false, true> : propagate<false, false>);
      run(xs + at, ys + at, in + at, out + at, add ? side + at : nullptr, a.data(), b.data(), offset.data(), pixels,
          channels);
    }
  });
  return {gx, gw.sum(0), gb.sum(0), gs};
}

// 3x3 max pooling of stride 2 and padding 1 of values that are not negative (bfloat16 then orders as integers);
// which of the nine was taken is kept for the way back.
std::vector<torch::Tensor> pool_forward(torch::Tensor x) {
  check(x, "x");
  const int64_t channels = x.size(1), height = x.size(2), width = x.size(3);
  const int64_t rows = (height + 1) / 2, columns = (width + 1) / 2;
  auto y = torch::empty({x.size(0), channels, rows, columns}, x.options(), torch::MemoryFormat::ChannelsLast);
  auto taken = torch::empty({x.size(0), rows, columns, channels}, torch::kUInt8);
  const uint16_t* xs = bits(x);
  uint16_t* ys = bits_out(y);
  uint8_t* ts = taken.data_ptr<uint8_t>();
  at::parallel_for(0, x.size(0) * rows, 8, [&](int64_t begin, int64_t end) {
    std::vector<uint16_t> best(channels), which(channels);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t n = row / rows, r = row % rows;
      for (int64_t k = 0; k < columns; ++k) {
        std::fill(best.begin(), best.end(), 0);
        std::fill(which.begin(), which.end(), 9);
        for (int64_t tap = 0; tap < 9; ++tap) {
          const int64_t i = 2 * r + tap / 3 - 1, j = 2 * k + tap % 3 - 1;
          if (i < 0 || j < 0 || i >= height || j >= width) continue;
          const uint16_t* at = xs + ((n * height + i) * width + j) * channels;
          for (int64_t c = 0; c < channels; ++c) {
            const bool more = at[c] > best[c];
            best[c] = more ? at[c] : best[c];
            which[c] = more ? static_cast<uint16_t>(tap) : which[c];
          }
        }
        const int64_t to = (row * columns + k) * channels;
        std::memcpy(ys + to, best.data(), channels * sizeof(uint16_t));
        for (int64_t c = 0; c < channels; ++c) ts[to + c] = static_cast<uint8_t>(which[c]);
      }
    }
  });
  return {y, taken};
}

torch::Tensor pool_backward(torch::Tensor g, torch::Tensor taken, int64_t height, int64_t width) {
  g = g.contiguous(torch::MemoryFormat::ChannelsLast);
  check(g, "gradient");
  const int64_t channels = g.size(1), rows = g.size(2), columns = g.size(3);
  auto gx = torch::empty({g.size(0), channels, height, width}, g.options(), torch::MemoryFormat::ChannelsLast);
  const uint16_t* in = bits(g);
  const uint8_t* ts = taken.const_data_ptr<uint8_t>();
  uint16_t* out = bits_out(gx);
  at::parallel_for(0, g.size(0) * height, 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t n = row / height, i = row % height, map = n * rows * columns * channels;
      for (int64_t j = 0; j < width; ++j) {
        gather(in + map, ts + map, out + (row * width + j) * channels, i, j, std::min((i + 1) / 2, rows - 1),
               std::min((j + 1) / 2, columns - 1), columns, channels);
      }
    }
  });
  return gx;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("norm_forward", &norm_forward);
  m.def("norm_backward", &norm_backward);
  m.def("pool_forward", &pool_forward);
  m.def("pool_backward", &pool_backward);
}
