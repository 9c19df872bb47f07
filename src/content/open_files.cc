#include "content/open_files.h"

#include <fmt/format.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "config/setters.h"
#include "config/values.h"

namespace content {
namespace {

using config::Binding;
using observe::Counter;
using O = OpenFileOptions;

void set_cache(Binding& binding) {
  auto& setting = binding.options<O>().cache;
  if (binding.count() == 1 && binding.argument(0) == "off") {
    return setting.set(nullptr, binding.where());
  }
  OpenFileCache cache;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    std::string_view value = binding.argument(i);
    const std::string_view name = base::split_first(value, '=');
    bool good = false;
    if (name == "max") {
      const auto max = base::parse_number<std::uint32_t>(value);
      good = max.has_value() && *max > 0;
      if (good) cache.max = *max;
    } else if (name == "inactive") {
      const auto inactive = config::parse_seconds(value);
      good = inactive.has_value() && inactive->count() > 0;
      if (good) cache.inactive = *inactive;
    }
    if (!good) {
      return binding.error_at(
          i, fmt::format("invalid \"open_file_cache\" parameter \"{}\"", binding.argument(i)),
          "max=N [inactive=TIME], or off");
    }
  }
  if (cache.max == 0) {
    return binding.error(R"("open_file_cache" must have the "max" parameter)");
  }
  setting.set(std::make_shared<const OpenFileCache>(cache), binding.where());
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "open_file_cache",
     .contexts = config::kHttpServerLocation,
     .arguments = config::takes(1, 2),
     .syntax = "off | max=N [inactive=TIME]",
     .default_text = "off",
     .documentation = "Files that each worker keeps open, and for how long unused ones.",
     .set = set_cache},
    {.name = "open_file_cache_errors",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Whether it is also kept that a file is not there or may not be read.",
     .set = config::set_flag<&O::errors>},
    {.name = "open_file_cache_events",
     .contexts = config::kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "off",
     .documentation = "Loads for nginx's sake: it is about kqueue, which Linux does not have.",
     .set = config::set_flag<&O::events>},
    {.name = "open_file_cache_min_uses",
     .contexts = config::kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "1",
     .documentation = "How often a file is asked for until its descriptor is kept.",
     .set = config::set_number<&O::min_uses>},
    {.name = "open_file_cache_valid",
     .contexts = config::kHttpServerLocation,
     .syntax = "TIME",
     .default_text = "60s",
     .documentation = "After which time a file that is kept is looked at again.",
     .set = config::set_duration<&O::valid>},
};

// Errors that say something of the file, and not of this moment.
bool is_lasting(const base::Error& error) noexcept {
  switch (error.os_error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case EACCES:
    case ELOOP:
    case EXDEV: return true;
    default: return false;
  }
}

}  // namespace

const config::Feature kOpenFileFeature{"open_file_cache", kDirectives,
                                       config::inherit_options<OpenFileOptions>};

OpenFiles::Entry* OpenFiles::find(const FilePath& path, LinkRule links,
                                  const OpenFileOptions& options) {
  drop_inactive();
  key_.assign(path.directory);
  key_ += '\0';
  key_ += path.below;
  key_ += '\0';
  key_ += static_cast<char>(links.follow);
  key_ += static_cast<char>(links.disable);
  if (links.disable != DisableSymlinks::off) key_ += std::to_string(path.unchecked);
  Entry* const entry = entries_.find(key_);
  if (entry == nullptr) return nullptr;
  ++entry->uses;
  entry->used = loop_.now();
  if (loop_.now() - entry->checked >= *options.valid) return nullptr;
  return entry->failed && !*options.errors ? nullptr : entry;
}

OpenFiles::Entry& OpenFiles::renew() {
  Entry* entry = entries_.find(key_);
  if (entry == nullptr) {
    if (entries_.size() >= cache_.max) counters_.add(Counter::limit_open_file_cache);
    entry = &entries_.put(key_, Entry{.uses = 1});
  }
  *entry = Entry{.checked = loop_.now(), .used = loop_.now(), .uses = entry->uses};
  if (!timed_) loop_.timers().set(*this, loop_.now() + cache_.inactive);
  timed_ = true;
  return *entry;
}

void OpenFiles::keep_error(const base::Error& error, const OpenFileOptions& options) {
  if (*options.errors && is_lasting(error)) {
    Entry& entry = renew();
    entry.failed = true;
    entry.error = error;
    return;
  }
  entries_.erase(key_);  // what was kept of it is no longer true
}

base::Result<File> OpenFiles::open(Roots& roots, const FilePath& path, LinkRule links,
                                   const OpenFileOptions& options) {
  const Entry* const known = find(path, links, options);
  if (known != nullptr &&
      (known->failed || known->fd != nullptr || known->status.kind == File::Kind::directory)) {
    counters_.add(Counter::open_file_hits);
    if (known->failed) return base::fail(known->error);
    File file;
    static_cast<FileStatus&>(file) = known->status;
    file.kept = known->fd;
    return file;
  }
  counters_.add(Counter::open_file_misses);
  auto file = roots.open(path, links);
  if (!file) {
    keep_error(file.error(), options);
    return file;
  }
  Entry& entry = renew();
  entry.status = *file;
  if (file->kind == File::Kind::regular && entry.uses >= *options.min_uses) {
    entry.fd = std::make_shared<const base::Fd>(std::move(file->fd));
    file->kept = entry.fd;
  }
  return file;
}

base::Result<FileStatus> OpenFiles::look(Roots& roots, const FilePath& path, LinkRule links,
                                         const OpenFileOptions& options) {
  if (const Entry* const known = find(path, links, options)) {
    counters_.add(Counter::open_file_hits);
    if (known->failed) return base::fail(known->error);
    return known->status;
  }
  counters_.add(Counter::open_file_misses);
  auto status = roots.look(path, links);
  if (status) {
    renew().status = *status;
  } else {
    keep_error(status.error(), options);
  }
  return status;
}

std::size_t OpenFiles::clear() noexcept {
  const std::size_t count = entries_.size();
  entries_.clear();
  return count;
}

void OpenFiles::drop_inactive() {
  const base::TimePoint oldest = loop_.now() - cache_.inactive;
  entries_.erase_oldest_while([oldest](const Entry& entry) { return entry.used <= oldest; });
}

void OpenFiles::on_timer() noexcept {
  drop_inactive();
  timed_ = entries_.size() > 0;
  if (timed_) loop_.timers().set(*this, loop_.now() + cache_.inactive);
}

}  // namespace content
