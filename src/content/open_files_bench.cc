// What open_file_cache saves: a file opened, looked at and closed, against one that is kept.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "content/open_files.h"
#include "io/testing/fake_clock.h"

namespace content {
namespace {

class Tree {
 public:
  Tree() {
    std::string name = "/tmp/sallyport-bench-XXXXXX";
    www = ::mkdtemp(name.data());
    std::filesystem::create_directories(www + "/a/b/c");
    std::ofstream(www + "/a/b/c/file") << "text";
  }
  ~Tree() { std::filesystem::remove_all(www); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  [[nodiscard]] FilePath path(std::string_view below) const {
    return {.directory = www, .below = below, .shown = below};
  }

  std::string www;
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  Roots roots{loop};
};

void from_disk(benchmark::State& state, std::string_view below, LinkRule links) {
  Tree tree;
  for (auto _ : state) benchmark::DoNotOptimize(tree.roots.open(tree.path(below), links));
}
BENCHMARK_CAPTURE(from_disk, file, "a/b/c/file", LinkRule{});
BENCHMARK_CAPTURE(from_disk, missing, "a/b/c/none", LinkRule{});

void from_cache(benchmark::State& state, std::string_view below) {
  Tree tree;
  const OpenFileCache cache{.max = 100, .inactive = std::chrono::hours(1)};
  const observe::CounterLayout layout;
  observe::Counters counters(layout);
  OpenFileOptions options;
  options.errors = true;
  options.valid = std::chrono::seconds(3600);
  OpenFiles files(tree.loop, cache, counters);
  for (auto _ : state) {
    benchmark::DoNotOptimize(files.open(tree.roots, tree.path(below), {}, options));
  }
}
BENCHMARK_CAPTURE(from_cache, file, "a/b/c/file");
BENCHMARK_CAPTURE(from_cache, missing, "a/b/c/none");

}  // namespace
}  // namespace content
