#include "proxy/static_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/decimal.h"
#include "base/random.h"
#include "content/autoindex.h"
#include "content/file_path.h"
#include "content/preconditions.h"
#include "filter/filter_plan.h"
#include "http/date.h"
#include "io/socket.h"
#include "proxy/directory.h"
#include "proxy/files.h"
#include "proxy/reroute.h"
#include "proxy/response.h"
#include "proxy/response_filters.h"

namespace proxy {
namespace {

using base::decimal;
using base::Error;
using base::ErrorCode;
using content::ByteRange;
using content::ByteRanges;
using content::File;
using content::FilePath;
using content::StaticPlan;
using http::FieldName;
using http::Method;
using observe::Counter;
using observe::Level;

bool is_asked_for(Method method) noexcept {
  return method == Method::get || method == Method::head || method == Method::post;
}

// "bytes 0-9/100"
std::string_view content_range(const ByteRange& range, std::uint64_t size, base::Arena& arena) {
  return arena.join("bytes ", decimal(range.first, arena), "-", decimal(range.end - 1, arena), "/",
                    decimal(size, arena));
}

class Finder {
 public:
  Finder(Context& context, const StaticPlan& plan)
      : context_(context), plan_(plan), exchange_(context.exchange) {}

  async::Task<StaticContent> run() {
    StaticContent found;
    const Method method = exchange_.request.method;
    if (exchange_.uri.ends_with('/')) {
      if (!is_asked_for(method)) {
        found.answer = Answer{.status = 405};
      } else {
        found.answer = find_index();
      }
      co_return found;
    }
    if (!is_asked_for(method)) {
      found.answer = Answer{.status = 405};
      co_return found;
    }
    const auto path = path_of_uri();
    if (!path) {
      found.answer = path.error();
      co_return found;
    }
    if (open_packed(*path, found)) co_return found;
    auto file = open_file(context_, plan_, *path);
    if (!file && base::is_descriptor_shortage(file.error()) && context_.worker.loop.relieve()) {
      static_cast<void>(co_await io::sleep_until(context_.worker.loop,
                                                 context_.now() + io::EventLoop::kReliefPause));
      file = open_file(context_, plan_, *path);
    }
    if (!file) {
      const bool is_told = *context_.client_options().log_not_found;
      found.answer = refuse_file(context_, file.error(), path->shown, "open()",
                                 is_told ? NotFound::told : NotFound::silent);
      co_return found;
    }
    answer_file(*path, *std::move(file), found);
    co_return found;
  }

 private:
  using Step = std::optional<Answer>;

  // The path of exchange.uri, or what is answered instead.
  std::expected<FilePath, Answer> path_of_uri() {
    context_.take_time();
    const auto path = content::find_path(plan_, exchange_, context_.encoded_slash());
    if (const auto failed = failed_evaluation(context_)) return std::unexpected(*failed);
    if (path) return *path;
    return std::unexpected(no_path(path.error()));
  }
  Answer no_path(const Error& error) {
    const bool leaves = error.is(ErrorCode::not_permitted);
    log(context_, Level::error,
        fmt::format("\"{}\" {}", exchange_.uri,
                    leaves ? error.context : "has a name that no file can have"));
    return {.status = leaves ? 403U : 404U};
  }

  // gzip_static: "file.gz" in place of "file", if it is there and the client takes it. False: the
  // file itself is to be sent.
  bool open_packed(const FilePath& path, StaticContent& found) {
    using filter::GzipStatic;
    const auto* filters = context_.level->find<filter::FilterPlan>();
    if (filters == nullptr || filters->gzip_static == GzipStatic::off ||
        exchange_.request.method == Method::post || path.below == ".") {
      return false;
    }
    exchange_.response.fields.clear();  // gzip_proxied must not read what is left of others
    const bool always = filters->gzip_static == GzipStatic::always;
    const bool wanted = always || filter::may_send_gzip(*filters->acceptance, exchange_);
    if (!wanted && !*filters->acceptance->vary) return false;
    base::Arena& arena = exchange_.arena;
    // A zero byte stands behind the name, for the kernel.
    std::string_view below = arena.join(path.below, std::string_view(".gz\0", 4));
    below.remove_suffix(1);
    const FilePath packed{
        .directory = path.directory, .below = below, .shown = arena.join(path.shown, ".gz")};
    auto file = open_file(context_, plan_, packed);
    if (!file) {
      const int code = file.error().os_error;
      if (code != ENOENT && code != ENOTDIR && code != ENAMETOOLONG) {
        static_cast<void>(
            refuse_file(context_, file.error(), packed.shown, "open()"));  // for the log
      }
      return false;
    }
    if (!always) exchange_.gzip_vary = true;
    if (!wanted || file->kind == File::Kind::directory) return false;
    packed_ = true;
    answer_file(packed, *std::move(file), found);
    return true;
  }

  // For "/dir/": an internal redirect to a file by chance or to the first index file that is there,
  // else a list, or the reason why there is none.
  Step find_index() {
    const auto directory = path_of_uri();
    if (!directory) return directory.error();
    if (*context_.level->get<content::RandomIndexOptions>().enabled) {
      const auto name = choose_file(context_, plan_, *directory);
      if (!name) return name.error();
      if (!name->empty()) return redirect_to(exchange_.arena.join(exchange_.uri, *name));
    }
    bool directory_seen = false;
    for (const script::Value& value : plan_.index) {
      context_.take_time();
      const std::string_view name = value.evaluate(exchange_);
      if (auto failed = failed_evaluation(context_)) return failed;
      if (name.empty()) continue;
      if (name.starts_with('/')) return redirect_to(name);
      const auto path = content::path_in(*directory, name, exchange_.arena);
      if (!path) return no_path(path.error());
      const auto seen = look_at_file(context_, plan_, *path);
      if (seen) return redirect_to(exchange_.arena.join(exchange_.uri, name));
      const Error& error = seen.error();
      const int code = error.os_error;
      if (code == ENOTDIR || code == ENAMETOOLONG || code == EACCES) return no_index(error, *path);
      if (code != ENOENT) return refuse_file(context_, error, path->shown, "stat()");
      if (std::exchange(directory_seen, true)) continue;
      if (auto answer = look_for_directory(*directory, error, *path)) return answer;
    }
    if (*context_.level->get<content::AutoindexOptions>().enabled &&
        exchange_.request.method != Method::post) {
      return list_directory(context_, plan_, *directory);
    }
    log(context_, Level::error,
        fmt::format("directory index of \"{}\" is forbidden", directory->shown));
    return Answer{.status = 403};
  }

  // An index that is missing in a directory that is missing is not found.
  Step look_for_directory(const FilePath& directory, const Error& error, const FilePath& index) {
    const auto seen = look_at_file(context_, plan_, directory);
    if (seen || seen.error().os_error == EACCES) return std::nullopt;
    if (seen.error().os_error == ENOENT) return no_index(error, index);
    return refuse_file(context_, seen.error(), directory.shown, "stat()");
  }

  Answer no_index(const Error& error, const FilePath& index) {
    const bool forbidden = error.os_error == EACCES;
    if (!forbidden && !*context_.client_options().log_not_found) return Answer{.status = 404};
    log(context_, Level::error,
        base::describe(error.during(exchange_.arena.join(
            "\"", index.shown, forbidden ? "\" is forbidden" : "\" is not found"))));
    return Answer{.status = forbidden ? 403U : 404U};
  }

  Step redirect_to(std::string_view uri) {
    return redirect_internally(context_, uri, exchange_.args);
  }

  Answer redirect_to_slash() {
    base::Arena& arena = exchange_.arena;
    const auto path = http::escape_path(exchange_.uri, context_.encoded_slash(), arena);
    const std::string_view question = exchange_.args.empty() ? "" : "?";
    return {.status = 301, .location = arena.join(path, "/", question, exchange_.args)};
  }

  void answer_file(const FilePath& path, File file, StaticContent& found) {
    if (file.kind == File::Kind::directory) {
      found.answer = redirect_to_slash();
      return;
    }
    if (file.kind == File::Kind::special) {
      log(context_, Level::crit, fmt::format("\"{}\" is not a regular file", path.shown));
      found.answer = Answer{.status = 404};
      return;
    }
    if (exchange_.request.method == Method::post) {
      found.answer = Answer{.status = 405};
      return;
    }
    const content::Validators validators{
        .modified = file.modified,
        .etag = plan_.etag ? content::make_etag(file.modified, file.size, exchange_.arena)
                           : std::string_view{}};
    // What is shown for an error is no answer to what the client asked for.
    if (const unsigned forced = context_.forced_status.value_or(0); forced != 0 && forced != 200) {
      return describe(forced, file, validators, found, path);
    }
    // Nor is a part of a page.
    if (exchange_.main != nullptr) return describe(200, file, validators, found, path);
    switch (content::check_preconditions(exchange_.request.fields, validators,
                                         plan_.if_modified_since)) {
      case content::Precondition::failed: found.answer = Answer{.status = 412}; return;
      case content::Precondition::not_modified:
        describe(304, file, validators, found, path);
        return;
      case content::Precondition::holds: break;
    }
    const ByteRanges ranges = is_filtered(file) ? ByteRanges{} : ranges_of(file, validators);
    if (ranges.kind == ByteRanges::Kind::unsatisfiable) {
      found.answer = Answer{
          .status = 416,
          .content_range = exchange_.arena.join("bytes */", decimal(file.size, exchange_.arena))};
      return;
    }
    const bool partial = ranges.kind == ByteRanges::Kind::parts;
    describe(partial ? 206 : 200, file, validators, found, path, ranges.parts);
  }

  // Whether what is sent will be other bytes than the file's, so that there are no ranges of it.
  bool is_filtered(const File& file) {
    if (context_.level->find<filter::FilterPlan>() == nullptr ||
        !exchange_.request.fields.has(FieldName::range)) {
      return false;
    }
    http::ResponseHead& response = exchange_.response;
    response.status = 200;
    response.fields.clear();
    response.body = {http::BodyFraming::Kind::length, file.size};
    if (packed_ && !response.fields.add(FieldName::content_encoding, "gzip")) return false;
    return response.fields.add(FieldName::content_type, content_type(context_)) &&
           filters_apply(context_);
  }

  ByteRanges ranges_of(const File& file, const content::Validators& validators) {
    const http::Field* range = exchange_.request.fields.find(FieldName::range);
    if (range == nullptr || !content::allows_range(exchange_.request.fields, validators)) return {};
    const auto ranges =
        content::parse_byte_ranges(range->value, file.size, plan_.max_ranges, exchange_.arena);
    if (ranges.too_many) context_.count(Counter::limit_ranges);
    return ranges;
  }

  // The response's own fields, and the file with what is sent of it.
  void describe(unsigned status, File& file, const content::Validators& validators,
                StaticContent& found, const FilePath& path,
                std::span<const ByteRange> ranges = {}) {
    base::Arena& arena = exchange_.arena;
    http::ResponseHead& response = exchange_.response;
    response.status = static_cast<std::uint16_t>(status);
    response.reason = {};
    response.fields.clear();
    FileToSend to_send;
    to_send.shown = path.shown;
    const std::string_view type = content_type(context_);
    bool fits = true;
    const auto add = [&](FieldName name, std::string_view value) {
      fits = fits && response.fields.add(name, value);
    };
    fits = begin_own_fields(context_);
    std::uint64_t length = 0;
    if (status != 304) {
      std::string_view shown_type = type;
      if (ranges.empty()) {
        const auto whole = arena.make_array<ByteRange>(file.size > 0 ? 1 : 0);
        for (ByteRange& range : whole) range = {.first = 0, .end = file.size};
        to_send.ranges = whole;
      } else {
        to_send.ranges = ranges;
      }
      for (const ByteRange& range : to_send.ranges) length += range.end - range.first;
      if (ranges.size() > 1) {
        shown_type = make_parts(type, file.size, to_send);
        for (const std::string_view text : to_send.before) length += text.size();
        length += to_send.after.size();
      }
      add(FieldName::content_type, shown_type);
    }
    add(FieldName::last_modified, arena.copy(http::view(http::http_date(std::chrono::sys_seconds(
                                      std::chrono::seconds(file.modified))))));
    if (plan_.etag) add(FieldName::etag, validators.etag);
    if (packed_) add(FieldName::content_encoding, "gzip");
    if (ranges.size() == 1) {
      add(FieldName::content_range, content_range(ranges.front(), file.size, arena));
    }
    if (status == 200 && plan_.max_ranges > 0) add(FieldName::accept_ranges, "bytes");
    if (exchange_.request.method == Method::head && status != 304) {
      add(FieldName::content_length, decimal(length, arena));
    }
    if (!fits) {
      found.answer = Answer{.status = 500};
      return;
    }
    response.body = status == 304 || length == 0
                        ? http::BodyFraming{}
                        : http::BodyFraming{http::BodyFraming::Kind::length, length};
    to_send.length = length;
    to_send.file = std::move(file);
    found.file = std::move(to_send);
  }

  // RFC 9110 §14.6; gives the Content-Type of the whole.
  std::string_view make_parts(std::string_view type, std::uint64_t size, FileToSend& to_send) {
    base::Arena& arena = exchange_.arena;
    std::array<std::uint8_t, 20> random{};
    base::fill_random(random);
    std::array<char, 20> boundary{};
    std::ranges::transform(random, boundary.begin(),
                           [](std::uint8_t byte) { return static_cast<char>('0' + byte % 10); });
    const std::string_view line = arena.join("\r\n--", std::string_view(boundary.data(), 20));
    const auto before = arena.make_array<std::string_view>(to_send.ranges.size());
    for (std::size_t i = 0; i < before.size(); ++i) {
      before[i] = arena.join(line, "\r\nContent-Type: ", type,
                             "\r\nContent-Range: ", content_range(to_send.ranges[i], size, arena),
                             "\r\n\r\n");
    }
    to_send.before = before;
    to_send.after = arena.join(line, "--\r\n");
    return arena.join("multipart/byteranges; boundary=", line.substr(4));
  }

  Context& context_;
  const StaticPlan& plan_;
  exchange::Exchange& exchange_;
  bool packed_ = false;  // the file is the gzip of the one that was asked for
};

}  // namespace

Answer refuse_file(Context& context, const Error& error, std::string_view shown,
                   std::string_view call, NotFound not_found) {
  unsigned status = 500;
  Level level = Level::crit;
  switch (error.os_error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
      status = 404;
      level = Level::error;
      break;
    case EACCES:
    case ELOOP:
      status = 403;
      level = Level::error;
      break;
    case EXDEV:
      log(context, Level::error,
          fmt::format("\"{}\" leads out of its root by a symbolic link: set \"follow_symlinks "
                      "anywhere\" if it may",
                      shown));
      return Answer{.status = 403};
    default: break;
  }
  if (status == 404 && not_found == NotFound::silent) return Answer{.status = 404};
  log(context, level,
      base::describe(error.during(context.exchange.arena.join(call, " \"", shown, "\" failed"))));
  return Answer{.status = status};
}

async::Task<StaticContent> find_static(Context& context, const StaticPlan& plan) {
  Finder finder(context, plan);
  co_return co_await finder.run();
}

}  // namespace proxy
