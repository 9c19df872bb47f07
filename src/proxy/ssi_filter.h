// SsiFilter: runs the SSI commands of a page and puts what they give in their places.
//
// Includes are subrequests; those that need not be waited for run side by side, and what comes too
// early waits for its turn (part_queue.h). What the commands of a page and of its parts share
// stands in SsiState.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "filter/body_filter.h"
#include "filter/ssi.h"
#include "filter/ssi_parser.h"
#include "proxy/context.h"
#include "proxy/part_queue.h"

namespace proxy {

/// Variables, blocks and captures of a page with all its parts: of the client's request.
struct SsiState {
  /// Bytes of all names, values and blocks together, and what variables took of the arena.
  static constexpr std::size_t kMaxSize = std::size_t{1} << 20;
  /// What a name costs beside its bytes.
  static constexpr std::size_t kEntry = 128;

  std::map<std::string, std::string, std::less<>> variables;  // names in lower case
  std::map<std::string, std::string, std::less<>> blocks;
  std::string matched;  // what the captures $0 ... $9 are of
  base::Captures captures;
  std::size_t size = 0;

  /// False: there is no room.
  [[nodiscard]] bool take(std::size_t bytes) noexcept {
    if (bytes > kMaxSize - size) return false;
    size += bytes;
    return true;
  }
};

class SsiFilter final : public filter::BodyFilter {
 public:
  /// `plan.options` is not null. Both outlive it.
  SsiFilter(Context& context, const filter::SsiPlan& plan);

  [[nodiscard]] async::Task<base::Result<void>> write(std::string_view piece, http::Then then,
                                                      io::Patience patience) override;

 private:
  using Done = async::Task<base::Result<void>>;
  class Parameters;
  // What a command did: its text goes into the page; nothing: it failed, and the log was told.
  using Text = std::optional<std::string>;

  [[nodiscard]] Done process(std::string_view piece);
  [[nodiscard]] Done put(std::string_view text);
  [[nodiscard]] Done flush();
  [[nodiscard]] Done pass_text(std::string_view text);
  [[nodiscard]] Done fail();
  [[nodiscard]] Done run(const filter::SsiCommand& command);
  [[nodiscard]] Done include(const Parameters& parameters);
  [[nodiscard]] async::Task<base::Result<bool>> include_text(const Parameters& parameters);
  [[nodiscard]] bool has_parts() const noexcept { return parts_ != nullptr && !parts_->empty(); }
  [[nodiscard]] bool may_start() const noexcept;
  void start(std::string_view path, std::string_view args);

  [[nodiscard]] Text run_short(const filter::SsiCommand& command, const Parameters& parameters);
  [[nodiscard]] Text echo(const Parameters& parameters);
  [[nodiscard]] bool set(std::string_view name, std::string value);
  [[nodiscard]] bool choose(const filter::SsiCommand& command, const Parameters& parameters);
  [[nodiscard]] std::optional<bool> test(std::string_view expression);
  [[nodiscard]] std::optional<bool> match(const std::string& text, const std::string& pattern);

  [[nodiscard]] std::optional<std::string_view> variable(std::string_view name);
  [[nodiscard]] Done write_stub(const std::string& block);
  [[nodiscard]] std::optional<std::string_view> date(bool local);
  [[nodiscard]] std::optional<std::string> expand(std::string_view text);
  [[nodiscard]] bool take(std::size_t bytes);
  [[nodiscard]] bool keep_in_block(std::string_view text);
  void complain(std::string_view sentence);

  Context& context_;
  const filter::SsiOptions& options_;
  const script::Variables& variables_;
  std::shared_ptr<SsiState> state_;
  std::shared_ptr<PartQueue> parts_;  // null: none yet; the context's, too
  filter::SsiParser parser_;
  io::Patience patience_;  // of the piece at hand
  std::string out_;  // what goes on together; below kGather
  std::string error_text_;
  std::string time_format_;
  std::string date_text_;
  unsigned stubs_ = 0;  // that are being written, within one another
  enum class Encoding : std::uint8_t { none, url, entity };
  Encoding encoding_ = Encoding::entity;
  enum class Conditional : std::uint8_t { none, after_if, after_else };
  struct Place {
    Conditional conditional = Conditional::none;
    bool output = true;   // what stands here is part of the page
    bool chosen = false;  // a branch of the `if` was
    bool in_block = false;
    std::string block;  // its name
  };
  Place place_;
};

}  // namespace proxy
