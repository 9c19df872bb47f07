#include "proxy/directory.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "content/autoindex.h"
#include "content/directory.h"
#include "filter/filter_plan.h"
#include "proxy/static_file.h"
#include "script/request_lookups.h"

namespace proxy {
namespace {

using content::Directory;
using content::EntryDetails;
using content::FilePath;
using observe::Level;

// nginx names a directory without its last slash.
std::string_view shown_name(const FilePath& directory) noexcept {
  std::string_view shown = directory.shown;
  if (shown.size() > 1 && shown.ends_with('/')) shown.remove_suffix(1);
  return shown;
}

std::expected<Directory, Answer> read(Context& context, const content::StaticPlan& plan,
                                      const FilePath& path, EntryDetails details) {
  const auto& options = context.level->get<content::AutoindexOptions>();
  const std::uint64_t most = options.max_entries.value_or(context.site.listing().compat_nginx
                                                              ? content::AutoindexOptions::kMost
                                                              : *options.max_entries);
  auto read = content::read_directory(context.site.roots(), path, plan.links, details,
                                      static_cast<std::size_t>(most), context.exchange.arena);
  if (!read) {
    return std::unexpected(refuse_file(context, read.error(), shown_name(path), "opendir()"));
  }
  if (!read->refused.empty()) {  // one line, however many there are
    log(context, Level::crit,
        fmt::format("stat() \"{}/{}\" failed (13: Permission denied){}", shown_name(path),
                    read->refused.front(),
                    read->refused.size() > 1
                        ? fmt::format(", and {} more there", read->refused.size() - 1)
                        : ""));
  }
  if (read->too_many) {
    context.count(observe::Counter::limit_directory_entries);
    log(context, Level::error,
        fmt::format("\"{}\" has more than {} entries: see autoindex_max_entries", shown_name(path),
                    most));
    return std::unexpected(Answer{.status = 500});
  }
  return *std::move(read);
}

// The charset that the page's Content-Type will tell.
content::Names names_in_page(const Context& context) {
  const auto* filters = context.level->find<filter::FilterPlan>();
  if (filters == nullptr || filters->charset == nullptr) return content::Names::bytes;
  const filter::CharsetPlan& plan = *filters->charset;
  std::string_view name = context.exchange.override_charset;
  if (name.empty() && plan.charset && plan.options->types->match("text/html")) {
    name = plan.charset->evaluate(context.exchange);
  }
  return base::equal_ignoring_case(name, "utf-8") ? content::Names::utf8 : content::Names::bytes;
}

}  // namespace

std::expected<std::string_view, Answer> choose_file(Context& context,
                                                    const content::StaticPlan& plan,
                                                    const FilePath& directory) {
  auto found = read(context, plan, directory, EntryDetails::kinds);
  if (!found) return std::unexpected(found.error());
  auto& entries = found->entries;
  std::erase_if(entries, [](const content::DirectoryEntry& entry) {
    return entry.kind != content::FileStatus::Kind::regular;
  });
  if (entries.empty()) return std::string_view{};
  return context.exchange.arena.copy(entries[base::random_u64() % entries.size()].name);
}

Answer list_directory(Context& context, const content::StaticPlan& plan,
                      const FilePath& directory) {
  exchange::Exchange& exchange = context.exchange;
  const auto& options = context.level->get<content::AutoindexOptions>();
  std::string_view callback;
  if (*options.format == content::AutoindexOptions::Format::jsonp) {
    callback = script::find_argument(exchange.args, "callback").value_or(std::string_view{});
    if (!content::is_callback_name(callback)) {
      log(context, Level::info, fmt::format("client sent invalid callback name: \"{}\"", callback));
      return Answer{.status = 400};
    }
  }
  auto found = read(context, plan, directory, EntryDetails::all);
  if (!found) return found.error();
  const auto uri = content::file_name_of(exchange.uri, exchange.encoded_slash, exchange.arena);
  const content::DirectoryPage page =
      content::make_directory_page(options, uri.value_or(exchange.uri), callback, *found,
                                   names_in_page(context), exchange.now_wall);
  return Answer{
      .status = 200, .text = exchange.arena.copy(page.text), .has_text = true, .type = page.type};
}

}  // namespace proxy
