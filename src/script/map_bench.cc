// What it costs to load tables of a million entries, and to look into small and large ones.
#include "script/map.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <random>

#include "config/memory_files.h"
#include "config/parser.h"
#include "script/data_directives.h"

namespace {

std::string entry(std::size_t i) { return fmt::format("user-{}.example.com", i); }

std::string map_text(std::size_t entries) {
  std::string text = "map $arg_x $v {\n";
  for (std::size_t i = 0; i < entries; ++i) text += fmt::format("{} value-{};\n", entry(i), i);
  return text + "}\n";
}

std::string geo_text(std::size_t entries) {
  std::string text = "geo $v {\n";
  for (std::size_t i = 0; i < entries; ++i) {
    text += fmt::format("{}.{}.{}.0/24 {};\n", i >> 16U & 255U, i >> 8U & 255U, i & 255U, i % 200);
  }
  return text + "}\n";
}

/// One configuration, from its text.
struct Loaded {
  explicit Loaded(const std::string& text) {
    config::parse_text("bench.conf", text, files, diagnostics, tree);
    for (const config::Directive& block : tree.directives) {
      (block.name.text == "map" ? script::compile_map : script::compile_geo)(block, variables,
                                                                             diagnostics);
    }
    value = script::Value::compile({"$v", {}, false}, variables, diagnostics);
  }
  config::MemoryFiles files;
  config::Diagnostics diagnostics;
  config::Tree tree;
  script::Variables variables;
  script::Value value;
};

void load(benchmark::State& state, std::string (*text)(std::size_t)) {
  const std::string configuration = text(static_cast<std::size_t>(state.range(0)));
  for (auto turn : state) {
    const Loaded loaded(configuration);
    benchmark::DoNotOptimize(loaded.variables.slot_count());
  }
}
BENCHMARK_CAPTURE(load, map, map_text)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(load, geo, geo_text)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

// One key again and again, so that this is the work and not the machine's caches; and all of them.
void find(benchmark::State& state, std::size_t keys) {
  const auto entries = static_cast<std::size_t>(state.range(0));
  const Loaded loaded(map_text(entries));
  std::mt19937 random(1);
  std::vector<std::string> asked;
  for (std::size_t i = 0; i < keys; ++i) asked.push_back("x=" + entry(random() % entries));
  exchange::Connection client;
  base::Arena arena;
  std::size_t turn_number = 0;
  for (auto turn : state) {
    std::optional<std::string_view> slot;
    exchange::Exchange exchange(client, arena);
    exchange.args = asked[turn_number++ % asked.size()];
    exchange.named_captures = {&slot, 1};
    benchmark::DoNotOptimize(loaded.value.evaluate(exchange));
    arena.reset();
  }
}
BENCHMARK_CAPTURE(find, one_key, 1)->Arg(10)->Arg(1000)->Arg(1'000'000);
BENCHMARK_CAPTURE(find, many_keys, 10'000)->Arg(10)->Arg(1000)->Arg(1'000'000);

void locate(benchmark::State& state) {
  const auto entries = static_cast<std::size_t>(state.range(0));
  const Loaded loaded(geo_text(entries));
  std::mt19937 random(1);
  std::vector<base::Address> asked;
  for (int i = 0; i < 10'000; ++i) {
    const auto at = random() % entries;
    asked.push_back(*base::Address::from_ip(
        fmt::format("{}.{}.{}.7", at >> 16U & 255U, at >> 8U & 255U, at & 255U), 1));
  }
  exchange::Connection client;
  base::Arena arena;
  std::size_t turn_number = 0;
  for (auto turn : state) {
    std::optional<std::string_view> slot;
    exchange::Exchange exchange(client, arena);
    exchange.remote = asked[turn_number++ % asked.size()];
    exchange.named_captures = {&slot, 1};
    benchmark::DoNotOptimize(loaded.value.evaluate(exchange));
    arena.reset();
  }
}
BENCHMARK(locate)->Arg(10)->Arg(1000)->Arg(1'000'000);

}  // namespace
