// What a forwarded request pays for its headers' values.
#include "script/value.h"

#include <benchmark/benchmark.h>

namespace {

struct Fixture {
  Fixture() {
    client.peer = *base::Address::from_ip("192.0.2.10", 40000);
    client.local = *base::Address::from_ip("198.51.100.1", 443);
  }
  script::Value compile(std::string text) {
    const config::Word word{std::move(text), {}, false};
    return script::Value::compile(word, variables, diagnostics);
  }
  base::Arena arena;
  exchange::Connection client;
  script::Variables variables;
  config::Diagnostics diagnostics;
};

void evaluate(benchmark::State& state, const char* text) {
  Fixture fixture;
  const script::Value value = fixture.compile(text);
  base::Arena arena;
  for (auto turn : state) {
    exchange::Exchange ex(fixture.client, arena);
    ex.request.host = "example.com";
    benchmark::DoNotOptimize(value.evaluate(ex));
    arena.reset();
  }
}

BENCHMARK_CAPTURE(evaluate, constant, "close");
BENCHMARK_CAPTURE(evaluate, host, "$host");
BENCHMARK_CAPTURE(evaluate, remote_addr, "$remote_addr");
BENCHMARK_CAPTURE(evaluate, forwarded_for, "$proxy_add_x_forwarded_for");
BENCHMARK_CAPTURE(evaluate, absent_header, "$http_x_request_id");
BENCHMARK_CAPTURE(evaluate, mixed, "$scheme://$host$request_uri?from=${remote_addr}");

}  // namespace
