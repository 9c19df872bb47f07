#include "content/static_directives.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "config/setters.h"

namespace content {
namespace {

using config::Binding;
using config::Context;
using config::kHttpServerLocation;

template <bool kAlias>
void set_place(Binding& binding) {
  auto& root = binding.options<StaticOptions>().root;
  if (root.is_set) {
    const std::string_view earlier = root->alias ? "alias" : "root";
    return binding.error(
        earlier == binding.name()
            ? fmt::format("\"{}\" directive is duplicate", earlier)
            : fmt::format("\"{}\" directive is duplicate, \"{}\" directive was specified earlier",
                          binding.name(), earlier),
        "a block has one root or one alias");
  }
  RootSetting setting{.path = binding.word(0), .alias = kAlias, .level = &binding.level};
  std::string& text = setting.path.text;
  if (text.empty()) return binding.invalid(0, "a directory");
  setting.prefix = binding.files.full_name("", config::Purpose::place);
  if (!text.starts_with('$')) text = binding.files.full_name(text, config::Purpose::place);
  if (!kAlias && text.ends_with('/')) text.pop_back();  // "root /;" leaves nothing: all paths
  root.set(std::move(setting), binding.where());
}

void add_index(Binding& binding) {
  auto& index = binding.options<StaticOptions>().index;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const std::string& name = binding.argument(i);
    if (name.empty()) {
      binding.error_at(i, "index \"\" in \"index\" directive is invalid", "the name of a file");
      continue;
    }
    if (name.starts_with('/') && i + 1 != binding.count()) {
      binding.warn_at(i, "only the last index in \"index\" directive should be absolute",
                      "those behind it are never tried");
    }
    index.append(binding.word(i), binding.where());
  }
}

void set_types(Binding& binding) {
  // As in nginx, several on one level add up: "include mime.types; types { ... }".
  auto& types = binding.options<StaticOptions>().types;
  auto table =
      types.is_set ? std::make_shared<MediaTypes>(**types) : std::make_shared<MediaTypes>();
  for (const config::Directive& type : binding.directive.block) {
    if (type.has_block || type.arguments.empty()) {
      binding.error("invalid line in \"types\": \"" + type.name.text + "\"",
                    "each line is: TYPE ENDING...;");
      continue;
    }
    for (const config::Word& ending : type.arguments) {
      const std::string former = table->set(ending.text, type.name.text);
      if (former.empty()) continue;
      binding.diagnostics.warning(
          ending.at,
          fmt::format("duplicate extension \"{}\", content type: \"{}\", previous content type: "
                      "\"{}\"",
                      ending.text, type.name.text, former),
          "the last one counts");
    }
  }
  types.set(std::move(table), binding.where());
}

// What it asks nginx for happens always: a head leaves with the first bytes of its file.
void check_tcp_nopush(Binding& binding) { static_cast<void>(config::read_flag(binding)); }

void set_disable_symlinks(Binding& binding) {
  static constexpr std::string_view kFrom = "from=";
  std::optional<DisableSymlinks> mode;
  std::optional<config::Word> from;
  for (std::size_t i = 0; i < binding.count(); ++i) {
    const std::string_view text = binding.argument(i);
    if (text == "off") {
      mode = DisableSymlinks::off;
    } else if (text == "on") {
      mode = DisableSymlinks::on;
    } else if (text == "if_not_owner") {
      mode = DisableSymlinks::if_not_owner;
    } else if (text.starts_with(kFrom)) {
      from = binding.word(i);
      from->text.erase(0, kFrom.size());
      from->at.column += static_cast<std::uint32_t>(kFrom.size());
    } else {
      return binding.error_at(i, fmt::format("invalid parameter \"{}\"", text),
                              "off, or on | if_not_owner [from=PART]");
    }
  }
  if (!mode) {
    return binding.error(R"("disable_symlinks" must have "off", "on" or "if_not_owner" parameter)");
  }
  if (binding.count() == 2 && !from) {
    return binding.error(
        fmt::format("duplicate parameters \"{} {}\"", binding.argument(0), binding.argument(1)));
  }
  if (from && *mode == DisableSymlinks::off) {
    return binding.error(R"("from=" cannot be used with "off" parameter)");
  }
  binding.options<StaticOptions>().disable_symlinks.set({*mode, std::move(from)}, binding.where());
}

constexpr config::Choice<ModifiedSince> kModifiedSince[] = {{"off", ModifiedSince::off},
                                                            {"exact", ModifiedSince::exact},
                                                            {"before", ModifiedSince::before}};
constexpr config::Choice<FollowSymlinks> kFollowSymlinks[] = {
    {"inside", FollowSymlinks::inside}, {"anywhere", FollowSymlinks::anywhere}};

using O = StaticOptions;

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "root",
     .contexts = kHttpServerLocation | Context::if_in_location,
     .syntax = "PATH",
     .documentation =
         "The directory whose files are served: PATH and the request's path behind it.",
     .set = set_place<false>},
    {.name = "alias",
     .contexts = Context::location,
     .syntax = "PATH",
     .documentation = "The directory whose files are served, PATH in place of the location's path; "
                      "in a location of a "
                      "regular expression, the file itself.",
     .set = set_place<true>},
    {.name = "index",
     .contexts = kHttpServerLocation,
     .arguments = config::takes_at_least(1),
     .repeat = config::Repeat::repeatable,
     .syntax = "FILE...",
     .default_text = "index.html",
     .documentation = "What a path that ends with a slash shows: the first of these that is there.",
     .set = add_index},
    {.name = "types",
     .contexts = kHttpServerLocation,
     .arguments = config::takes(0),
     .block = config::kRawBlock,
     .repeat = config::Repeat::repeatable,
     .syntax = "{ TYPE ENDING...; }",
     .default_text = "{ text/html html; image/gif gif; image/jpeg jpg; }",
     .documentation = "Content-Type by the ending of the path.",
     .set = set_types},
    {.name = "follow_symlinks",
     .contexts = kHttpServerLocation,
     .syntax = "inside | anywhere",
     .default_text = "inside",
     .documentation =
         "Where symbolic links below a root may lead; outside of it, the answer is 403.",
     .set = config::set_enum<&O::follow_symlinks, kFollowSymlinks>},
    {.name = "disable_symlinks",
     .contexts = kHttpServerLocation,
     .arguments = config::takes(1, 2),
     .syntax = "off | on | if_not_owner [from=PART]",
     .default_text = "off",
     .documentation = "Whether symbolic links in a path, behind PART, are a 403: all of them, or "
                      "those whose owner does not own what they lead to.",
     .set = set_disable_symlinks},
    {.name = "max_ranges",
     .contexts = kHttpServerLocation,
     .syntax = "NUMBER",
     .default_text = "32",
     .documentation =
         "Most byte ranges in a request; with more it is answered with the whole file. "
         "0: ranges are not served.",
     .set = config::set_number<&O::max_ranges, 0, O::kMost>},
    {.name = "etag",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether files have an ETag, made of their time and size.",
     .set = config::set_flag<&O::etag>},
    {.name = "if_modified_since",
     .contexts = kHttpServerLocation,
     .syntax = "off | exact | before",
     .default_text = "exact",
     .documentation = "When a file counts as not modified: never, if If-Modified-Since is its very "
                      "time, or if it is not earlier.",
     .set = config::set_enum<&O::if_modified_since, kModifiedSince>},
    {.name = "sendfile",
     .contexts = kHttpServerLocation | Context::if_in_location,
     .syntax = "on | off",
     .default_text = "on",
     .documentation = "Whether the kernel copies files to connections that are not encrypted.",
     .set = config::set_flag<&O::sendfile>},
    {.name = "tcp_nopush",
     .contexts = kHttpServerLocation,
     .syntax = "on | off",
     .documentation = "For nginx's files, without effect: a head always leaves with the first "
                      "bytes of its file.",
     .set = check_tcp_nopush},
};

}  // namespace

const config::Feature kStaticFeature{"static", kDirectives, config::inherit_options<StaticOptions>};

void provision_static(config::Level& level, const StaticSurroundings& around) {
  const auto& options = level.get<StaticOptions>();
  const config::Level* outer = level.parent();
  if (outer != nullptr && outer->find<StaticOptions>() == &options &&
      outer->find<StaticPlan>() != nullptr) {
    return level.share_from<StaticPlan>(*outer);
  }
  if (!options.root.is_set && !around.compat_nginx) return;
  const RootSetting root =
      options.root.is_set
          ? *options.root
          : RootSetting{.path = {.text = around.default_root, .at = {}, .quoted = false}};
  auto& plan = level.options<StaticPlan>();
  plan.path = script::Value::compile(root.path, around.variables, around.diagnostics);
  plan.prefix = root.prefix;
  if (root.alias) {
    const auto location = around.location_of(*root.level);
    if (location.named && root.level == &level) {
      around.diagnostics.error(root.path.at,
                               "the \"alias\" directive cannot be used inside the named location",
                               "use root");
    }
    plan.alias = true;
    plan.whole = location.regex;
    plan.replaced = location.name_size;
  }
  if (options.index.is_set) {
    for (const config::Word& name : *options.index) {
      plan.index.push_back(script::Value::compile(name, around.variables, around.diagnostics));
    }
  } else {
    plan.index.push_back(script::Value::literal("index.html"));
  }
  const bool safe = !around.compat_nginx;
  plan.links.follow =
      options.follow_symlinks.value_or(safe ? FollowSymlinks::inside : FollowSymlinks::anywhere);
  plan.links.disable = options.disable_symlinks->mode;
  if (options.disable_symlinks->from) {
    plan.links_free_in = script::Value::compile(*options.disable_symlinks->from, around.variables,
                                                around.diagnostics);
  }
  plan.max_ranges = options.max_ranges.value_or(safe ? *options.max_ranges : StaticOptions::kMost);
  plan.sendfile = options.sendfile.value_or(safe);
  plan.etag = *options.etag;
  plan.if_modified_since = *options.if_modified_since;
}

std::string_view media_type(const config::Level& level, std::string_view path) {
  const auto* options = level.find<StaticOptions>();
  const bool has_own = options != nullptr && *options->types != nullptr;
  return (has_own ? **options->types : MediaTypes::defaults()).find(path);
}

}  // namespace content
