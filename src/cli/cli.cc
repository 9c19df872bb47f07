#include "cli/cli.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "cli/check_command.h"
#include "cli/command_line.h"
#include "cli/control_commands.h"
#include "cli/demonstration.h"
#include "cli/demonstration_backend.h"
#include "cli/diff_command.h"
#include "cli/errors_command.h"
#include "cli/explain_command.h"
#include "cli/manual_page.h"
#include "cli/proxy_command.h"
#include "cli/reference.h"
#include "cli/status_command.h"
#include "config/diagnostics.h"
#include "observe/journal.h"
#include "server/admin.h"
#include "server/build_info.h"
#include "server/opening.h"
#include "server/paths.h"
#include "server/pid_file.h"
#include "server/server_process.h"
#include "server/supervise.h"
#include "tls/library.h"

namespace cli {
namespace {

void complain(std::string_view level, std::string_view message) {
  fmt::print(stderr, "{}",
             observe::for_stderr(fmt::format("sallyport: [{}] {}\n", level, message)));
}

server::Paths paths_of(const CommandLine& line) {
  return server::resolve_paths(server::Surroundings::of_this_process(), line.prefix,
                               line.configuration);
}

server::StartOptions start_options(const CommandLine& line) {
  server::StartOptions options{.paths = paths_of(line), .load = {}};
  options.load = {.file = options.paths.configuration,
                  .prefix = options.paths.prefix,
                  .global_directives = line.directives,
                  .error_log = line.error_log == "stderr" ? "" : line.error_log,
                  .temporary_directory = options.paths.temporary_directory};
  return options;
}

// --- -v, -V, -h: on stderr, as nginx's

void show_version(const CommandLine& line) {
  fmt::print(stderr, "sallyport version: sallyport/{}\n", server::version());
  if (line.show_help) fmt::print(stderr, "{}", help_text());
  if (!line.show_build) return;
  const server::Paths paths = paths_of(line);
  fmt::print(stderr,
             "built by {}\n"
             "built with {}, running with {}\n"
             "TLS SNI support enabled\n"
             "configure arguments: --prefix={} --conf-path={} --pid-path={} "
             "--error-log-path=stderr --admin-path={} --state-path={} --temp-path={}{}\n",
             server::compiler(), server::built_with_openssl(), tls::library_version(), paths.prefix,
             paths.configuration, paths.pid_file, paths.admin_socket, paths.state_directory,
             paths.temporary_directory, ::geteuid() == 0 ? "-UID" : "");
}

enum class Format : bool { text, json };

// --- -s

int signal_number(std::string_view name) {
  if (name == "stop") return SIGTERM;
  if (name == "quit") return SIGQUIT;
  if (name == "reopen") return SIGUSR1;
  return SIGHUP;
}

int send_signal(const CommandLine& line) {
  const server::StartOptions options = start_options(line);
  config::Diagnostics diagnostics;
  const auto opening = server::read_configuration(options, diagnostics);
  if (!opening) {
    fmt::print(stderr, "{}", diagnostics.render());
    return 1;
  }
  const auto pid = server::read_pid_file(opening->pid_file(options.paths));
  if (!pid) {
    complain("error", pid.error());
    return 1;
  }
  const int number = signal_number(line.signal);
  if (::kill(*pid, number) != 0) {
    complain("alert", fmt::format("kill({}, {}) {}", *pid, number,
                                  base::describe(base::error_from_errno(errno, "failed"))));
    return 1;
  }
  return 0;
}

// --- run

/// The words that start this program again, from any directory. A bare name is looked up in PATH
/// then as it was now: what is found there may be a newer one.
std::vector<std::string> command_of(const std::vector<std::string_view>& words) {
  std::vector<std::string> command(words.begin(), words.end());
  std::error_code error;
  if (!command.empty() && command.front().find('/') != std::string::npos) {
    command.front() = std::filesystem::absolute(command.front(), error).string();
  }
  return command;
}

int serve(const CommandLine& line, std::vector<std::string> command) {
  server::StartOptions options = start_options(line);
  options.command = std::move(command);
  const bool chosen = !line.configuration.empty() || !line.prefix.empty();
  if (!chosen && ::access(options.paths.configuration.c_str(), F_OK) != 0 && errno == ENOENT) {
    return run_demonstration(options);
  }
  return server::supervise(options);
}

int run_nginx_way(std::span<const std::string_view> words, std::vector<std::string> command) {
  const auto line = parse_command_line(words);
  if (!line) {
    fmt::print(stderr, "sallyport: {}\n", line.error());
    return 1;
  }
  if (line->show_version) {
    show_version(*line);
    if (!line->test) return 0;
  }
  if (!line->signal.empty()) return send_signal(*line);
  if (line->test) return run_check(*line, start_options(*line), {});
  return serve(*line, std::move(command));
}

// --- commands of ours

const std::map<std::string, Format> kFormats{{"text", Format::text}, {"json", Format::json}};

void add_format(CLI::App* command, Format& format) {
  command->add_option("--format", format, "text or json")
      ->transform(CLI::CheckedTransformer(kFormats).description("text, json"));
}

/// That `parse` takes the text. `what` it must be, for the message.
template <class Parse>
std::function<std::string(const std::string&)> valid(Parse parse, std::string what) {
  return [parse, what = std::move(what)](const std::string& text) {
    return parse(text) ? std::string() : "\"" + text + "\" is not " + what;
  };
}

int run_command(const std::vector<std::string_view>& words) {
  CLI::App app{"Sallyport, a TLS-terminating reverse proxy", "sallyport"};
  CommandLine line;
  Format format = Format::text;
  std::string socket;
  double seconds = 2;

  CLI::App* check_command = app.add_subcommand("check", "Test a configuration, all errors at once");
  check_command->add_option("-c,--configuration", line.configuration, "configuration file");
  check_command->add_option("-p,--prefix", line.prefix, "prefix path");
  check_command->add_option("-g,--global", line.directives, "global directives");
  check_command->add_flag("--dump", line.dump, "print the whole configuration");
  check_command->add_flag("!--no-bind", line.bind, "leave addresses alone: for another machine");
  bool verbose = false;
  std::string from;
  check_command->add_flag("-v,--verbose", verbose, "also which directives have no meaning here");
  check_command
      ->add_option("--from", from, "also which differences from that server touch the file")
      ->check(CLI::IsMember({"nginx"}));
  check_command->add_flag("-q,--quiet", line.quiet, "only errors");
  add_format(check_command, format);

  CLI::App* reopen_command = app.add_subcommand("reopen", "Open the logs anew, after a rotation");
  reopen_command->add_option("-p,--prefix", line.prefix, "prefix path of the instance");
  reopen_command->add_option("-c,--configuration", line.configuration, "accepted, not needed");

  CLI::App* errors_command =
      app.add_subcommand("errors", "The lines of \"error_log memory:SIZE\" of a running instance");
  errors_command->add_option("-p,--prefix", line.prefix, "prefix path of the instance");
  errors_command->add_option("-c,--configuration", line.configuration, "accepted, not needed");

  CLI::App* status_command = app.add_subcommand("status", "What a running instance does");
  status_command->add_option("-p,--prefix", line.prefix, "prefix path of the instance");
  status_command->add_option("-c,--configuration", line.configuration, "accepted, not needed");
  status_command->add_option("--socket", socket, "its admin socket");
  status_command
      ->add_option("-w,--watch", seconds, "again every SECONDS (2), with rates, until a signal")
      ->expected(0, 1)
      ->check(CLI::Range(0.1, 86400.0));
  bool ready = false;
  bool alive = false;
  CLI::Option* ready_option =
      status_command->add_flag("--ready", ready, "only: does it take requests?");
  status_command->add_flag("--alive", alive, "only: do all its workers answer?")
      ->excludes(ready_option);
  add_format(status_command, format);

  CLI::App* diff_command = app.add_subcommand(
      "diff", "What a configuration would change in a running instance: 0 nothing, 1 something");
  diff_command->add_option("-c,--configuration", line.configuration, "the new configuration file")
      ->required();
  diff_command->add_option("-p,--prefix", line.prefix, "prefix path of the instance");
  diff_command->add_option("-g,--global", line.directives,
                           "global directives instead of the instance's own");
  diff_command->add_option("--socket", socket, "its admin socket");
  add_format(diff_command, format);

  CLI::App* reload_command =
      app.add_subcommand("reload", "Read the configuration again, and wait for the outcome");
  reload_command->add_option("-p,--prefix", line.prefix, "prefix path of the instance");
  reload_command->add_option("-c,--configuration", line.configuration, "accepted, not needed");
  add_format(reload_command, format);

  CLI::App* apply_command = app.add_subcommand(
      "apply", "Serve another configuration on trial; it goes back by itself if things get worse");
  std::string watch = "60s";
  std::string max_5xx = "1%";
  std::string max_p99 = "2x";
  apply_command->add_option("-c,--configuration", line.configuration, "the new configuration file")
      ->required();
  apply_command->add_option("-p,--prefix", line.prefix, "prefix path of the instance");
  apply_command->add_option("-w,--watch", watch, "how long to watch it")
      ->check(valid(parse_watch, "a time, such as 60s or 5m"))
      ->capture_default_str();
  apply_command->add_option("--max-5xx", max_5xx, "share of 5xx responses that is too much")
      ->check(valid(parse_share, "a share, such as 1%"))
      ->capture_default_str();
  apply_command
      ->add_option("--max-p99", max_p99, "times of the request time's 99th percentile before")
      ->check(valid(parse_factor, "a factor, such as 2x"))
      ->capture_default_str();

  CLI::App* proxy_command = app.add_subcommand("proxy", "TLS in front of a service, in one line");
  ProxyRequest proxy;
  proxy_command
      ->add_option("--to", proxy.to, "where requests go: http://127.0.0.1:3000, https://name, 3000")
      ->required();
  proxy_command->add_option("--listen", proxy.listen, "port, or address and port")
      ->capture_default_str();
  proxy_command->add_option("--domain", proxy.domains, "names of the site (localhost)");
  proxy_command->add_option("--cert", proxy.certificate,
                            "its certificate, PEM; without one a development certificate is made");
  proxy_command->add_option("--key", proxy.key, "the certificate's private key, PEM");
  proxy_command->add_flag("--print", proxy.print, "only print the equivalent configuration file");
  proxy_command->add_option("-p,--prefix", line.prefix, "where its files are");

  CLI::App* directives_command = app.add_subcommand(
      "directives", "The directives and variables of the configuration, or one of them");
  std::string directive;
  bool markdown = false;
  directives_command->add_option("NAME", directive, "a directive, or a variable as '$name'");
  directives_command->add_flag("--markdown", markdown, "all, as a page of the guide")
      ->excludes("NAME");
  add_format(directives_command, format);

  CLI::App* explain_command =
      app.add_subcommand("explain", "Which way a request would take, and why; nothing is sent");
  ExplainOptions explained;
  explain_command->add_option("REQUEST", explained.request, "'GET https://host/path'")->required();
  explain_command->add_option("-H,--header", explained.headers, "'Name: value'; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  explain_command->add_option("--from", explained.from, "the client's address")
      ->capture_default_str();
  explain_command->add_option("--assume", explained.assumptions, "auth=200, auth=401 or auth=403");
  explain_command->add_option("-c,--configuration", line.configuration, "configuration file");
  explain_command->add_option("-p,--prefix", line.prefix, "prefix path");
  explain_command->add_option("-g,--global", line.directives, "global directives");
  add_format(explain_command, format);

  CLI::App* version_command = app.add_subcommand("version", "Show version");
  app.add_subcommand("run", "Run; takes nginx's options, see sallyport -h");
  app.require_subcommand(1);

  std::vector<std::string> rest(words.rbegin(), words.rend() - 1);
  try {
    app.parse(std::move(rest));
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  if (check_command->parsed()) {
    return run_check(
        line, start_options(line),
        {.json = format == Format::json, .verbose = verbose, .from_nginx = !from.empty()});
  }
  if (explain_command->parsed()) {
    explained.json = format == Format::json;
    return run_explain(start_options(line), explained);
  }
  if (directives_command->parsed()) {
    return print_reference(directive, markdown                 ? ReferenceForm::markdown
                                      : format == Format::json ? ReferenceForm::json
                                                               : ReferenceForm::text);
  }
  if (version_command->parsed()) {
    fmt::print("sallyport version: sallyport/{}\n", server::version());
    return 0;
  }
  if (proxy_command->parsed()) {
    if (line.prefix.empty()) line.prefix = proxy_prefix(paths_of(line).state_directory, proxy);
    return run_proxy(proxy, start_options(line));
  }
  const server::Paths paths = paths_of(line);
  const Instance instance{.admin_socket = paths.admin_socket,
                          .control_socket = paths.control_socket};
  if (reload_command->parsed()) return run_reload(instance, format == Format::json);
  if (errors_command->parsed()) return run_errors(instance);
  if (reopen_command->parsed()) return run_reopen(instance);
  if (apply_command->parsed()) {
    return run_apply(instance, {.file = std::filesystem::absolute(line.configuration).string(),
                                .watch = *parse_watch(watch),
                                .max_server_errors = *parse_share(max_5xx),
                                .max_p99_factor = *parse_factor(max_p99)});
  }
  if (diff_command->parsed()) {
    return run_diff(start_options(line), socket, format == Format::json);
  }
  StatusRequest request{.socket = socket.empty() ? paths_of(line).admin_socket : socket,
                        .json = format == Format::json,
                        .every = {}};
  if (ready || alive) return run_health(request.socket, ready ? "ready" : "alive");
  if (status_command->count("--watch") != 0) request.every = std::chrono::duration<double>(seconds);
  return run_status(request);
}

}  // namespace

int run(const std::vector<std::string_view>& words) {
  const std::string_view first = words.size() > 1 ? words[1] : "";
  if (first == server::kServerProcessArgument) return server::run_server_process();
  if (first == kDemonstrationBackendArgument) return run_demonstration_backend();
  if (first == kManualPageArgument) return print_manual_page();
  if (first.empty() || first.starts_with('-')) {
    if (first == "--help" || first == "--version") {
      const CommandLine line{.show_help = first == "--help", .show_version = true};
      show_version(line);
      return 0;
    }
    return run_nginx_way(std::span(words).subspan(words.empty() ? 0 : 1), command_of(words));
  }
  if (first == "run" && !(words.size() == 3 && words[2] == "--help")) {
    return run_nginx_way(std::span(words).subspan(2), command_of(words));
  }
  return run_command(words);
}

}  // namespace cli
