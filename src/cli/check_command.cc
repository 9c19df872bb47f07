#include "cli/check_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/columns.h"
#include "config/disk_files.h"
#include "config/parser.h"
#include "observe/journal.h"
#include "server/listen_check.h"
#include "server/name_check.h"
#include "snapshot/features.h"
#include "snapshot/migration.h"

namespace cli {
namespace {

/// What is asked besides, from the directives as they are written.
class Remarks {
 public:
  Remarks(const server::StartOptions& options, const CheckRequest& request) {
    if (!request.verbose && !request.from_nginx) return;
    config::DiskFiles files(server::prefixes_of(options.load));
    if (!options.load.global_directives.empty()) {
      config::parse_command_line(options.load.global_directives, files, sources_, tree_);
    }
    config::parse_file(options.load.file, files, sources_, tree_);
    const config::Vocabulary vocabulary(snapshot::features(), snapshot::unsupported_directives());
    config::wrap_bare_servers(tree_, vocabulary);
    if (request.verbose) without_effect_ = snapshot::without_effect(tree_, vocabulary);
    if (request.from_nginx) differences_ = snapshot::differences_of(tree_);
  }

  void add_json(nlohmann::ordered_json& json, const CheckRequest& request) const {
    if (request.verbose) {
      json["without_effect"] = nlohmann::json::array();
      for (const auto& each : without_effect_) {
        nlohmann::ordered_json entry{{"directive", each.name}, {"why", each.why}};
        entry.update(place(each.at));
        json["without_effect"].push_back(std::move(entry));
      }
    }
    if (!request.from_nginx) return;
    json["differences"] = nlohmann::json::array();
    for (const auto& [difference, places] : differences_) {
      nlohmann::ordered_json entry{{"what", difference->what},
                                   {"nginx", difference->nginx},
                                   {"here", difference->here},
                                   {"nginx_way", difference->way},
                                   {"places", nlohmann::json::array()}};
      for (const config::Position& at : places) entry["places"].push_back(place(at));
      json["differences"].push_back(std::move(entry));
    }
  }

  [[nodiscard]] std::string text(const CheckRequest& request) const {
    std::string out;
    if (request.verbose) {
      out += without_effect_.empty() ? "Every directive has an effect.\n"
                                     : "Accepted for nginx's sake, without effect:\n";
      for (const auto& each : without_effect_) {
        out +=
            wrapped(fmt::format("{}: {}: {}", sources_.place(each.at), each.name, each.why), 2, 6);
      }
    }
    if (!request.from_nginx) return out;
    out += differences_.empty() ? "No difference from nginx touches these files.\n"
                                : "Differences from nginx that touch these files:\n";
    for (const auto& [difference, places] : differences_) {
      out += "\n" + wrapped(fmt::format("{} ({})", plain(difference->what), listed(places)), 0, 4);
      out += wrapped(fmt::format("nginx: {}", plain(difference->nginx)), 4, 8);
      out += wrapped(fmt::format("here: {}", plain(difference->here)), 4, 8);
      out += wrapped(fmt::format("nginx's way: {}", plain(difference->way)), 4, 8);
    }
    return out;
  }

 private:
  [[nodiscard]] nlohmann::ordered_json place(config::Position at) const {
    return {{"file", at.line == 0 ? "" : config::printable(sources_.source(at.file).name)},
            {"line", at.line},
            {"column", at.column}};
  }

  /// Without Markdown's marks: of a link its text stays.
  [[nodiscard]] static std::string plain(std::string_view text) {
    std::string out;
    while (!text.empty()) {
      const auto begin = text.find('[');
      const auto middle = text.find("](", begin);
      const auto end = text.find(')', middle);
      out += text.substr(0, begin);
      if (end == std::string_view::npos) {
        if (begin != std::string_view::npos) out += text.substr(begin);
        break;
      }
      out += text.substr(begin + 1, middle - begin - 1);
      text.remove_prefix(end + 1);
    }
    std::erase(out, '`');
    return out;
  }

  [[nodiscard]] std::string listed(const std::vector<config::Position>& places) const {
    constexpr std::size_t kShown = 3;
    std::string out;
    for (std::size_t i = 0; i < std::min(places.size(), kShown); ++i) {
      out += (i == 0 ? "" : ", ") + sources_.place(places[i]);
    }
    if (places.size() > kShown) out += fmt::format(" and {} more", places.size() - kShown);
    return out;
  }

  config::Diagnostics sources_;  // its messages are those of the test, which tells them
  config::Tree tree_;
  std::vector<snapshot::WithoutEffect> without_effect_;
  std::vector<snapshot::Touched> differences_;
};

void print_as_json(const std::string& file, const config::Diagnostics& diagnostics, bool good,
                   const Remarks& remarks, const CheckRequest& request) {
  nlohmann::ordered_json json{
      {"ok", good}, {"file", file}, {"diagnostics", nlohmann::json::array()}};
  for (const config::Diagnostic& each : diagnostics.list()) {
    json["diagnostics"].push_back({{"severity", config::name_of(each.severity)},
                                   {"message", each.message},
                                   {"file", each.file},
                                   {"line", each.line},
                                   {"column", each.column},
                                   {"source", each.source_line},
                                   {"hint", each.hint}});
  }
  remarks.add_json(json, request);
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace

int run_check(const CommandLine& line, const server::StartOptions& options,
              const CheckRequest& request) {
  const std::string& file = options.paths.configuration;
  config::Diagnostics diagnostics;
  const auto opening = server::read_configuration(options, diagnostics);
  if (opening) server::check_names(*opening->snapshot, diagnostics);
  if (opening && line.bind) server::check_listeners(*opening->snapshot, diagnostics);
  const bool good = opening && !diagnostics.has_errors();
  const Remarks remarks(options, request);
  if (request.json) {
    print_as_json(file, diagnostics, good, remarks, request);
    return good ? 0 : 1;
  }
  if (!line.quiet || diagnostics.has_errors()) {
    fmt::print(stderr, "{}", observe::for_stderr(diagnostics.render()));
  }
  fmt::print("{}", remarks.text(request));
  if (!good) {
    fmt::print(stderr, "sallyport: configuration file {} test failed\n", file);
    return 1;
  }
  if (!line.quiet) {
    fmt::print(stderr,
               "sallyport: the configuration file {} syntax is ok\n"
               "sallyport: configuration file {} test is successful\n",
               file, file);
  }
  if (line.dump) fmt::print("{}", snapshot::dump(diagnostics));
  return 0;
}

}  // namespace cli
