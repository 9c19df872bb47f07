// How fast bodies pass the filters: a text that has nothing to replace, one made to be slow, and
// compression. Each pass is a body of 1 MB in pieces of 16 KB.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/deflate.h"
#include "filter/substitution.h"

namespace {

using filter::PatternSet;
using filter::Substitution;

constexpr std::size_t kBody = std::size_t{1} << 20;
constexpr std::size_t kPiece = std::size_t{16} * 1024;

std::string page() {
  std::string text;
  for (std::size_t i = 0; text.size() < kBody; ++i) {
    text += "<li class=\"row\"><a href=\"/item/" + std::to_string(i) + "\">item</a></li>\n";
  }
  text.resize(kBody);
  return text;
}

void substitute(benchmark::State& state, const std::vector<std::string_view>& texts,
                const std::string& body) {
  const PatternSet patterns(texts);
  std::string out;
  for (auto _ : state) {
    Substitution substitution(patterns, Substitution::Times::always,
                              [](std::uint32_t) { return std::optional<std::string_view>("x"); });
    for (std::size_t at = 0; at < body.size(); at += kPiece) {
      benchmark::DoNotOptimize(substitution.run(std::string_view(body).substr(at, kPiece), out));
      out.clear();
    }
    benchmark::DoNotOptimize(substitution.finish(out));
    out.clear();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBody));
}

void sub_one_text(benchmark::State& state) { substitute(state, {"</body>"}, page()); }
BENCHMARK(sub_one_text);

void sub_many_texts(benchmark::State& state) {
  substitute(state, {"</body>", "http://a/", "<title>", "href=\"/old/", "footer"}, page());
}
BENCHMARK(sub_many_texts);

void sub_hostile(benchmark::State& state) {
  const std::string text = std::string(1000, 'a') + "b";
  substitute(state, {text}, std::string(kBody, 'a'));
}
BENCHMARK(sub_hostile);

void gzip(benchmark::State& state) {
  const std::string body = page();
  std::string out(std::size_t{64} * 1024, '\0');
  for (auto _ : state) {
    base::Deflater deflater({.level = static_cast<int>(state.range(0))});
    for (std::size_t at = 0; at < body.size(); at += kPiece) {
      std::string_view rest = std::string_view(body).substr(at, kPiece);
      const bool last = at + kPiece >= body.size();
      using Flush = base::Deflater::Flush;
      while (true) {
        const auto step = deflater.run(rest, out, last ? Flush::finish : Flush::none);
        rest.remove_prefix(step.taken);
        if (step.given < out.size()) break;
      }
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBody));
}
BENCHMARK(gzip)->Arg(1)->Arg(6);

}  // namespace
