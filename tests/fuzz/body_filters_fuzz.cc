// needs: filter
// The filters of bodies in pieces give what they give of the whole, and what a plain reading of
// their documentation gives: substitution, recoding from UTF-8, unpacking.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/deflate.h"
#include "base/text.h"
#include "filter/recoding.h"
#include "filter/substitution.h"

namespace {

using filter::PatternSet;
using filter::Recoding;
using filter::RecodingTable;
using filter::Substitution;
using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

std::string reference(const Pairs& pairs, bool once, std::string_view text) {
  std::string out;
  std::vector<bool> used(pairs.size());
  for (std::size_t at = 0; at < text.size();) {
    std::size_t i = 0;
    while (i < pairs.size() &&
           (used[i] || !base::starts_with_ignoring_case(text.substr(at), pairs[i].first))) {
      ++i;
    }
    if (i == pairs.size()) {
      out += text[at++];
      continue;
    }
    out += pairs[i].second;
    at += pairs[i].first.size();
    used[i] = once;
  }
  return out;
}

std::string substitute(const PatternSet& patterns, const Pairs& pairs, bool once,
                       std::string_view text, std::size_t piece) {
  Substitution substitution(
      patterns, once ? Substitution::Times::once : Substitution::Times::always,
      [&](std::uint32_t number) { return std::optional(pairs[number].second); });
  std::string all;
  std::string out;
  const auto take = [&] {
    CHECK(out.size() <= Substitution::kRoom + piece + 2 * 8192);
    all += out;
    out.clear();
  };
  for (std::size_t at = 0; at < text.size(); at += piece) {
    std::string_view rest = text.substr(at, piece);
    do {
      rest.remove_prefix(*substitution.run(rest, out));
      take();
    } while (!rest.empty());
  }
  while (!*substitution.finish(out)) take();
  take();
  return all;
}

// The first byte: how. Then lines "TEXT=REPLACEMENT", an empty line, the body.
void fuzz_substitution(std::uint8_t how, std::string_view input) {
  Pairs pairs;
  std::vector<std::string_view> patterns;
  while (!input.empty() && pairs.size() < 8) {
    std::string_view line = base::split_first(input, '\n');
    if (line.empty()) break;
    const std::string_view pattern = base::split_first(line, '=');
    if (pattern.empty()) continue;
    pairs.emplace_back(pattern, line);
    patterns.push_back(pattern);
  }
  const PatternSet set(patterns);
  const bool once = (how & 1U) != 0;
  const std::string wanted = reference(pairs, once, input);
  for (const std::size_t piece : {1UL, 1UL + (how >> 1U), 100'000UL}) {
    CHECK(substitute(set, pairs, once, input, piece) == wanted);
  }
}

void fuzz_recoding(std::uint8_t how, std::string_view input) {
  RecodingTable table(RecodingTable::Kind::from_utf8);
  for (std::size_t code = 0x80; code < RecodingTable::kCodes; code += 3) {
    table.codes[code] = static_cast<std::uint8_t>(0x80 + code % 0x80);
  }
  const auto recode = [&](std::size_t piece) {
    Recoding recoding(table);
    std::string out;
    for (std::size_t at = 0; at < input.size(); at += piece) {
      const std::size_t before = out.size();
      const std::string_view part = input.substr(at, piece);
      recoding.run(part, out);
      CHECK(out.size() - before <= 10 * part.size());
    }
    recoding.finish(out);
    return out;
  };
  const std::string whole = recode(100'000);
  CHECK(recode(1) == whole && recode(1U + how) == whole);
  const bool ascii = std::ranges::all_of(input, [](char c) { return (c & 0x80) == 0; });
  CHECK(!ascii || whole == input);
}

void fuzz_inflater(std::uint8_t how, std::string_view input) {
  constexpr std::size_t kEnough = 1'000'000;
  struct Result {
    std::string text;
    bool broken = false;
    bool complete = false;
    bool operator==(const Result&) const = default;
  };
  const auto inflate = [&](std::size_t piece, std::size_t room) {
    base::Inflater inflater;
    Result result;
    std::string out(room, '\0');
    for (std::size_t at = 0; at < input.size() && result.text.size() < kEnough; at += piece) {
      std::string_view rest = input.substr(at, piece);
      while (true) {
        const auto step = inflater.run(rest, out);
        rest.remove_prefix(step.taken);
        result.text.append(out, 0, step.given);
        result.broken = step.broken;
        if (step.broken) return result;
        if (step.given < room || result.text.size() >= kEnough) break;
        CHECK(step.given == room);
      }
      CHECK(rest.empty() || result.text.size() >= kEnough);
    }
    result.complete = inflater.complete();
    return result;
  };
  const Result whole = inflate(100'000, 4096);
  const Result pieces = inflate(1U + how, 4096);
  if (whole.text.size() < kEnough) CHECK(whole == pieces);

  base::Deflater deflater({});
  base::Inflater back;
  std::string packed(input.size() + 1000, '\0');
  const auto step = deflater.run(input, packed, base::Deflater::Flush::finish);
  CHECK(step.taken == input.size());
  std::string text(input.size() + 1, '\0');
  const auto again = back.run(std::string_view(packed).substr(0, step.given), text);
  CHECK(back.complete() && std::string_view(text).substr(0, again.given) == input);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string bytes(data, data + size);
  const std::string_view input = std::string_view(bytes).substr(2);
  switch (data[0] % 3) {
    case 0: fuzz_substitution(data[1], input); break;
    case 1: fuzz_recoding(data[1], input); break;
    case 2: fuzz_inflater(data[1], input); break;
    default: break;
  }
  return 0;
}
