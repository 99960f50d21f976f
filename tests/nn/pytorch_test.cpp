#include "nn/pytorch.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "nn/conv2d.hpp"
#include "nn/models/resnet.hpp"
#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "tensor/create.hpp"
#include "tests/reference/reference.hpp"
#include "tests/temporary_directory.hpp"
#include "tests/testing.hpp"

using namespace xtg;
using namespace xtg::nn;
using namespace xtg::testing;

namespace {

const std::string kReference = std::string(XTGRAD_REFERENCE_DIR) + "/pytorch_resnet20";

CifarResNet resnet20(std::uint64_t seed) {
  Generator g(seed);
  ResNetOptions options;
  options.width = 4;
  return CifarResNet(options, g);
}

/// Convolutions, norms of all kinds of gamma and a linear layer; only state and names matter here.
class Parts : public Module {
 public:
  explicit Parts(std::uint64_t seed) {
    Generator g(seed);
    add_module("conv", std::make_unique<Conv2d>(3, 5, 2, Conv2dOptions{}, g));
    add_module("bn", std::make_unique<BatchNorm>(5));
    add_module("ln1", std::make_unique<LayerNorm>(Shape{4}));
    add_module("ln2", std::make_unique<LayerNorm>(Shape{3, 4}));
    add_module("ln3", std::make_unique<LayerNorm>(Shape{2, 3, 4}));
    add_module("ln3_by_channel", std::make_unique<LayerNorm>(4, 3));
    add_module("gn", std::make_unique<GroupNorm>(2, 4));
    add_module("linear", std::make_unique<Linear>(3, 4, g));
    add_parameter("own", random_normal({2, 3, 4, 5}, g));
    SafeTensors state = state_dict();
    for (auto& [path, value] : state.tensors) value = normal(value.shape(), seed++);
    load_state_dict(state);
  }
  Variable forward(const Variable& x) override { return x; }
};

bool same(const SafeTensors& a, const SafeTensors& b) { return a.tensors == b.tensors && a.integers == b.integers; }

}  // namespace

TEST_CASE("pytorch: a ResNet-20 from PyTorch has PyTorch's logits") {
  const Reference reference("pytorch_resnet20_logits.safetensors");
  CifarResNet net = resnet20(1);
  net.eval();
  for (const std::string precision : {"", "_half"}) {
    CAPTURE(precision);
    const LoadReport report = load_pytorch(net, kReference + precision + ".safetensors");
    CHECK(report.missing.empty());
    CHECK(report.unexpected.empty());
    const double error = relative_error(net(Variable(reference("images"))).value(), reference("logits" + precision));
    CHECK(error < (sizeof(Scalar) == 8 ? 1e-13 : 1e-5));  // reached: 6e-16, 3e-7
    CHECK(net.state_dict().integers.at("layer3.2.bn2.num_batches_tracked").item() == 7);
  }
  // The two files are not the same to within that: what is rounded shows.
  CHECK(relative_error(reference("logits_half"), reference("logits")) > 1e-3);
}

TEST_CASE("pytorch: what came from PyTorch goes back bit for bit") {
  CifarResNet net = resnet20(1);
  load_pytorch(net, kReference + ".safetensors");
  const TemporaryDirectory directory;
  const std::string path = directory / "back.safetensors";
  save_pytorch(net, path);
  const SafeTensors original = load_safetensors(kReference + ".safetensors"), written = load_safetensors(path);
  CHECK(written.metadata == std::map<std::string, std::string>{{"format", "pt"}});
  CHECK(written.integers == original.integers);
  CHECK(written.integers.size() == 19);
  REQUIRE(written.tensors.size() == original.tensors.size());
  for (const auto& entry : original.tensors) {
    const std::string name = entry.first;
    CAPTURE(name);
    REQUIRE(written.tensors.count(name) == 1);
    CHECK(identical(written.tensors.at(name), entry.second));
  }
  CifarResNet other = resnet20(2);
  CHECK(!same(other.state_dict(), net.state_dict()));
  load_pytorch(other, path);
  CHECK(same(other.state_dict(), net.state_dict()));
}

TEST_CASE("pytorch: axes are put in PyTorch's order, element by element") {
  Parts parts(1);
  const TemporaryDirectory directory;
  const std::string path = directory / "parts.safetensors";
  save_pytorch(parts, path);
  const SafeTensors ours = parts.state_dict(), theirs = load_safetensors(path);
  REQUIRE(theirs.tensors.size() == ours.tensors.size());
  for (const auto& entry : ours.tensors) {
    const std::string name = entry.first;
    const Tensor &a = entry.second, &b = theirs.tensors.at(name);
    CAPTURE(name);
    if (name == "conv.weight") {
      REQUIRE(a.shape() == Shape{5, 2, 2, 3});
      REQUIRE(b.shape() == Shape{5, 3, 2, 2});
      for (std::size_t o = 0; o < 5; ++o)
        for (std::size_t i = 0; i < 3; ++i)
          for (std::size_t h = 0; h < 2; ++h)
            for (std::size_t w = 0; w < 2; ++w) CHECK(b(o, i, h, w) == a(o, h, w, i));
    } else if (name == "ln3.weight" || name == "ln3.bias") {
      REQUIRE(a.shape() == Shape{2, 3, 4});
      REQUIRE(b.shape() == Shape{4, 2, 3});
      for (std::size_t h = 0; h < 2; ++h)
        for (std::size_t w = 0; w < 3; ++w)
          for (std::size_t c = 0; c < 4; ++c) CHECK(b(c, h, w) == a(h, w, c));
    } else {
      CHECK(identical(a, b));
    }
  }
  Parts other(100);
  CHECK(!same(other.state_dict(), ours));
  load_pytorch(other, path);
  CHECK(same(other.state_dict(), ours));

  Generator g(1);  // a layer on its own has no path
  Conv2d conv(3, 5, 2, Conv2dOptions{}, g), again(3, 5, 2, Conv2dOptions{}, g);
  save_pytorch(conv, path);
  CHECK(load_safetensors(path).tensors.at("weight").shape() == Shape{5, 3, 2, 2});
  load_pytorch(again, path);
  CHECK(same(again.state_dict(), conv.state_dict()));
}

TEST_CASE("pytorch: a file that does not fit is refused whole, with shapes as PyTorch has them") {
  Parts parts(1);
  const TemporaryDirectory directory;
  const std::string path = directory / "refused.safetensors";
  save_pytorch(parts, path);
  SafeTensors state = load_safetensors(path);
  Parts other(100);
  const SafeTensors before = other.state_dict();
  const std::string does_not_fit = "ValueError: load_pytorch: " + path + " does not fit";
  const auto error = [&](bool strict) {
    save_safetensors(path, state);
    const std::string text = error_of([&] { load_pytorch(other, path, strict); });
    CHECK(same(other.state_dict(), before) == !text.empty());
    return text;
  };

  state.tensors.erase("bn.bias");
  state.tensors["fc.weight"] = ones({2, 2});
  CHECK(error(true) == does_not_fit + "; missing: bn.bias; unexpected: fc.weight");

  state.tensors["conv.weight"] = ones({5, 2, 2, 3});  // this library's layout
  state.tensors["ln3.bias"] = ones({2, 3, 4});
  const std::string misshaped =
      "; missing: bn.bias; unexpected: fc.weight; of another shape (shapes are PyTorch's, convolutions (O, I, KH, "
      "KW)): conv.weight (expected (5, 3, 2, 2), got (5, 2, 2, 3)), ln3.bias (expected (4, 2, 3), got (2, 3, 4))";
  CHECK(error(true) == does_not_fit + misshaped);
  CHECK(error(false) == does_not_fit + misshaped);

  state = load_safetensors(path);
  state.tensors = parts.state_dict().tensors;
  state.tensors["conv.weight"] = ones({5, 3, 2, 2});
  state.tensors["ln3.weight"] = state.tensors["ln3.bias"] = ones({4, 2, 3});
  state.integers.erase("bn.num_batches_tracked");
  state.tensors["bn.num_batches_tracked"] = zeros({});
  CHECK(error(false) == does_not_fit +
                            "; of another kind: bn.num_batches_tracked (expected integers, got "
                            "floating-point numbers)");
  CHECK_THROWS_WITH_AS(load_pytorch(other, path + ".not"),
                       (path + ".not: cannot open: No such file or directory").c_str(), FormatError);
  CHECK(same(other.state_dict(), before));
}

TEST_CASE("pytorch: lenient loading takes what fits and reports the rest") {
  Parts parts(1), other(100);
  const SafeTensors before = other.state_dict();
  const TemporaryDirectory directory;
  const std::string path = directory / "lenient.safetensors";
  save_pytorch(parts, path);
  SafeTensors state = load_safetensors(path);
  state.tensors.erase("ln3.bias");
  state.integers.erase("bn.num_batches_tracked");  // files from before PyTorch 0.4.1
  state.tensors["fc.weight"] = ones({2, 2, 2, 2});
  save_safetensors(path, state);
  const LoadReport report = load_pytorch(other, path, false);
  CHECK(report.missing == std::vector<std::string>{"ln3.bias", "bn.num_batches_tracked"});
  CHECK(report.unexpected == std::vector<std::string>{"fc.weight"});
  const SafeTensors after = other.state_dict();
  CHECK(identical(after.tensors.at("ln3.bias"), before.tensors.at("ln3.bias")));
  CHECK(identical(after.tensors.at("ln3.weight"), parts.state_dict().tensors.at("ln3.weight")));
  CHECK(identical(after.tensors.at("conv.weight"), parts.state_dict().tensors.at("conv.weight")));
}

TEST_CASE("pytorch: arrays of types that are not read are unexpected, unless the network wants one of that name") {
  Parts parts(1);
  const TemporaryDirectory directory;
  const std::string path = directory / "types.safetensors";
  // One array of each other type, all of two elements; the last is of a type that nobody has invented yet.
  const std::vector<std::pair<std::string, std::size_t>> types = {{"BOOL", 2}, {"U8", 2},   {"I8", 2},  {"F8_E4M3", 2},
                                                                  {"I16", 4},  {"U16", 4},  {"I32", 8}, {"U32", 8},
                                                                  {"U64", 16}, {"C64", 16}, {"X3", 1}};
  const auto write = [&](const std::string& prefix, const std::string& first_name) {
    std::string header;
    std::size_t end = 0;
    for (const auto& [type, bytes] : types) {
      const std::string name = header.empty() ? first_name : prefix + type;
      header += fmt::format("{}\"{}\":{{\"dtype\":\"{}\",\"shape\":[2],\"data_offsets\":[{},{}]}}",
                            header.empty() ? "{" : ",", name, type, end, end + bytes);
      end += bytes;
    }
    header += fmt::format(",\"conv.weight\":{{\"dtype\":\"F32\",\"shape\":[5,3,2,2],\"data_offsets\":[{},{}]}}}}", end,
                          end + 240);
    const std::uint64_t length = header.size();
    std::ofstream(path, std::ios::binary) << std::string(reinterpret_cast<const char*>(&length), 8) << header
                                          << std::string(end, '\x7f') << std::string(240, '\0');
  };
  write("other.", "other.BOOL");
  const LoadReport report = load_pytorch(parts, path, false);
  CHECK(report.unexpected.size() == types.size());
  CHECK(report.unexpected.front() == "other.BOOL");
  CHECK(identical(parts.state_dict().tensors.at("conv.weight"), zeros({5, 2, 2, 3})));  // read from the right place

  Parts other(100);
  const SafeTensors before = other.state_dict();
  CHECK(error_of([&] { load_pytorch(other, path); }).find("; unexpected: other.BOOL, other.C64, ") !=
        std::string::npos);
  write("other.", "bn.bias");
  for (const bool strict : {true, false})
    CHECK_THROWS_WITH_AS(load_pytorch(other, path, strict),
                         (path + ": tensor 'bn.bias' has type BOOL, expected F16, BF16, F32, F64 or I64").c_str(),
                         FormatError);
  write("other.", "bn.num_batches_tracked");
  CHECK_THROWS_AS(load_pytorch(other, path, false), FormatError);
  CHECK(same(other.state_dict(), before));
}
