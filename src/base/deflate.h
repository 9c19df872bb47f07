// Deflater and Inflater: gzip's format (RFC 1952) in pieces, over zlib. What they hold does not
// depend on the length of what passes: a Deflater of the usual parameters some 270 KB, an Inflater
// some 45 KB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace base {

/// What one step did. A step that has filled all of its output may have more to give: it is asked
/// again, with what it has not taken and the same Flush.
struct DeflateStep {
  std::size_t taken = 0;
  std::size_t given = 0;
};

class Deflater {
 public:
  struct Parameters {
    int level = 1;         // 1 (fastest) to 9 (smallest)
    int window_bits = 15;  // 9 to 15
    int memory_level = 8;  // 1 to 9
  };
  enum class Flush : std::uint8_t {
    none,
    sync,    // all that was taken can be read by whoever has what was given
    finish,  // nothing comes after
  };

  explicit Deflater(Parameters parameters);
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  /// Takes all of `input` unless it fills `output`, which is not empty.
  DeflateStep run(std::string_view input, std::span<char> output, Flush flush);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Inflater {
 public:
  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  struct Step : DeflateStep {
    bool broken = false;  // the input is not what gzip makes; nothing can follow
  };
  /// Members may follow one another; what follows one must be another.
  Step run(std::string_view input, std::span<char> output);

  /// The input so far is whole: one member or several, and nothing behind.
  [[nodiscard]] bool complete() const noexcept { return complete_; }

 private:
  struct State;
  std::unique_ptr<State> state_;
  bool complete_ = false;
};

}  // namespace base
