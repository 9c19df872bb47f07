// The cost of a head: parsing what a browser sends, and writing what a backend receives.
#include <benchmark/benchmark.h>

#include <string>

#include "http/h1/chunked_decoder.h"
#include "http/h1/head_writer.h"
#include "http/h1/request_parser.h"
#include "http/h1/response_parser.h"

namespace http::h1 {
namespace {

constexpr std::string_view kBrowser =
    "GET /static/css/site.min.css?v=20240607 HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0\r\n"
    "Accept: text/css,*/*;q=0.1\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Connection: keep-alive\r\n"
    "Referer: https://www.example.com/\r\n"
    "Cookie: session=0123456789abcdef\r\n"
    "Sec-Fetch-Dest: style\r\n"
    "\r\n";
constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "Content-Type: text/css\r\nContent-Length: 1024\r\nCache-Control: max-age=3600\r\n"
    "ETag: \"0123456789\"\r\n\r\n";

void parse_browser_request(benchmark::State& state) {
  base::Arena arena;
  const std::string buffer(kBrowser);
  for (auto _ : state) {
    arena.reset();
    RequestHead head(arena);
    RequestHeadParser parser;
    benchmark::DoNotOptimize(parser.feed(buffer, head));
    benchmark::DoNotOptimize(head);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(buffer.size()));
}
BENCHMARK(parse_browser_request);

void parse_response(benchmark::State& state) {
  base::Arena arena;
  const std::string buffer(kResponse);
  for (auto _ : state) {
    arena.reset();
    ResponseHead head(arena);
    ResponseHeadParser parser(Method::get);
    benchmark::DoNotOptimize(parser.feed(buffer, head));
    benchmark::DoNotOptimize(head);
  }
}
BENCHMARK(parse_response);

void write_request(benchmark::State& state) {
  base::Arena arena;
  RequestHead head(arena);
  RequestHeadParser parser;
  benchmark::DoNotOptimize(parser.feed(kBrowser, head));
  std::array<char, 1024> memory{};
  for (auto _ : state) {
    HeadWriter writer(memory);
    writer.request_line(head.method_text, head.target, head.version);
    writer.fields(head.fields);
    writer.end();
    benchmark::DoNotOptimize(writer.verdict());
  }
}
BENCHMARK(write_request);

void decode_chunks(benchmark::State& state) {
  const std::string body = "400\r\n" + std::string(1024, 'x') + "\r\n0\r\n\r\n";
  base::Arena arena;
  for (auto _ : state) {
    arena.reset();
    Fields trailers(arena);
    ChunkedDecoder decoder;
    std::string_view rest = body;
    while (!rest.empty()) rest.remove_prefix(decoder.decode(rest, trailers).consumed);
    benchmark::DoNotOptimize(decoder.total());
  }
}
BENCHMARK(decode_chunks);

}  // namespace
}  // namespace http::h1
