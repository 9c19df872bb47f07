#include "snapshot/migration.h"

#include <algorithm>
#include <string>

#include "base/address.h"
#include "base/text.h"

namespace snapshot {
namespace {

using config::Context;
using config::Directive;
using Directives = std::vector<Directive>;

// --- without effect

/// How the documentation of such a directive begins; what stands behind says why.
constexpr std::string_view kForNginx = "For nginx's files";

class Finder {
 public:
  Finder(const config::Vocabulary& vocabulary, std::vector<WithoutEffect>& found)
      : vocabulary_(vocabulary), found_(found) {}

  void search(const Directives& directives, Context context) {
    for (const Directive& directive : directives) {
      const std::string& name = directive.name.text;
      const config::DirectiveSpec* spec = vocabulary_.find(name, context);
      if (spec == nullptr) {
        const auto* later = vocabulary_.find_unsupported(name, context);
        if (later != nullptr && later->policy == config::UnsupportedSpec::Policy::harmless) {
          found_.push_back({later->name, directive.name.at, "not supported yet"});
        }
        continue;
      }
      if (spec->documentation.starts_with(kForNginx)) {
        std::string_view why = spec->documentation.substr(kForNginx.size());
        if (why.starts_with(", without effect")) why.remove_prefix(16);
        why.remove_prefix(std::min(why.size(), why.find_first_not_of(":, ")));
        found_.push_back({spec->name, directive.name.at, why});
      }
      if (spec->block.kind == config::Block::Kind::nested) {
        search(directive.block, spec->block.child);
      }
    }
  }

 private:
  const config::Vocabulary& vocabulary_;
  std::vector<WithoutEffect>& found_;
};

// --- differences

/// The directive of that name that holds: the innermost block's.
const Directive* holding(Surroundings around, std::string_view name) {
  for (std::size_t i = around.size(); i > 0; --i) {
    for (const Directive& each : *around[i - 1]) {
      if (each.name.text == name) return &each;
    }
  }
  return nullptr;
}

std::string_view first_argument(const Directive& directive) {
  return directive.arguments.empty() ? std::string_view() : directive.arguments.front().text;
}

bool has_argument(const Directive& directive, std::string_view text) {
  return std::ranges::any_of(directive.arguments,
                             [&](const config::Word& word) { return word.text == text; });
}

/// "a.example:80" of "http://a.example:80/path".
std::string_view authority_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == url.npos) return {};
  url.remove_prefix(scheme + 3);
  return url.substr(0, url.find('/'));
}

bool is_name(std::string_view host) {
  if (host.empty() || host.starts_with("unix:") || host.contains('$')) return false;
  return !base::Address::from_ip(host, 0) && !base::Address::from_ip_and_port(host);
}

bool always(const Directive& /*directive*/, Surroundings /*around*/) { return true; }
bool is_block(const Directive& directive, Surroundings /*around*/) { return directive.has_block; }
bool is_on(const Directive& directive, Surroundings /*around*/) {
  return first_argument(directive) == "on";
}
bool speaks_tls(const Directive& directive, Surroundings /*around*/) {
  return has_argument(directive, "ssl");
}
bool has_builtin(const Directive& directive, Surroundings /*around*/) {
  return first_argument(directive).starts_with("builtin");
}
bool has_variables(const Directive& directive, Surroundings /*around*/) {
  return first_argument(directive).contains('$');
}

// Neither forwarded nor answered otherwise.
bool serves_no_files_by_name(const Directive& directive, Surroundings around) {
  constexpr std::array<std::string_view, 7> kAnswers{
      "proxy_pass", "return", "rewrite", "alias", "stub_status", "health_endpoint", "location"};
  if (!directive.has_block || first_argument(directive).starts_with('@')) return false;
  return std::ranges::none_of(*around.back(), [&](const Directive& each) {
    return std::ranges::find(kAnswers, each.name.text) != kAnswers.end() ||
           each.name.text.ends_with("_pass");
  });
}

bool chooses_by_client(const Directive& directive, Surroundings /*around*/) {
  return directive.arguments.empty() || first_argument(directive).contains('$');
}

bool passes_to_https(const Directive& directive, Surroundings /*around*/) {
  return first_argument(directive).starts_with("https://");
}
bool passes_to_grpcs(const Directive& directive, Surroundings /*around*/) {
  return first_argument(directive).starts_with("grpcs://");
}
bool is_verified(const Directive& directive, Surroundings around) {
  const Directive* verify = holding(around, "proxy_ssl_verify");
  return passes_to_https(directive, around) &&
         (verify == nullptr || first_argument(*verify) == "on");
}
bool passes_path(const Directive& directive, Surroundings /*around*/) {
  const std::string_view url = first_argument(directive);
  const std::string_view authority = authority_of(url);
  return !authority.empty() && !url.contains('$') && url.ends_with(authority);
}
bool is_buffered(const Directive& /*directive*/, Surroundings around) {
  const Directive* buffering = holding(around, "proxy_buffering");
  return buffering == nullptr || first_argument(*buffering) != "off";
}
bool frames(const Directive& directive, Surroundings /*around*/) {
  const std::string name = base::lower(first_argument(directive));
  return name == "content-length" || name == "transfer-encoding";
}

// A name that no upstream block has.
bool goes_to_a_name(const Directive& directive, Surroundings around) {
  if (directive.has_block) return false;
  if (directive.name.text == "server") return is_name(first_argument(directive));
  const std::string_view authority = authority_of(first_argument(directive));
  if (!is_name(authority)) return false;
  return std::ranges::none_of(around, [&](const Directives* block) {
    return std::ranges::any_of(*block, [&](const Directive& each) {
      return each.name.text == "upstream" &&
             base::lower(first_argument(each)) == base::lower(authority);
    });
  });
}

bool shows_credentials(const Directive& directive, Surroundings /*around*/) {
  constexpr std::array<std::string_view, 6> kSecrets{
      "$http_authorization", "$http_cookie",      "$cookie_",
      "$remote_user",        "$sent_http_set_co", "$upstream_cookie_"};
  return std::ranges::any_of(directive.arguments, [&](const config::Word& word) {
    return std::ranges::any_of(kSecrets,
                               [&](std::string_view secret) { return word.text.contains(secret); });
  });
}
bool names_a_file(const Directive& directive, Surroundings /*around*/) {
  const std::string_view place = first_argument(directive);
  return place != "off" && place != "stderr" && !place.starts_with("syslog:") &&
         !place.starts_with("memory:") && !place.starts_with("/dev/");
}
bool is_untagged_syslog(const Directive& directive, Surroundings /*around*/) {
  const std::string_view place = first_argument(directive);
  return place.starts_with("syslog:") && !place.contains("tag=");
}

// In the guide's words and order.
constexpr NginxDifference kDifferences[] = {
    {.what = "other encoded slashes (`%2F`)",
     .compat = true,
     .nginx = "decoded for the match",
     .here = "stay `%2F`: `encoded_slash keep`; `refuse` makes them a 400",
     .way = "`encoded_slash decode;`",
     .directives = {"server"},
     .settled_by = {"encoded_slash"},
     .touches = is_block},
    {.what = "a head that is too large",
     .compat = true,
     .nginx = "400 with \"Request Header Or Cookie Too Large\"",
     .here = "431",
     .way = "`compat nginx`",
     .directives = {"large_client_header_buffers"},
     .settled_by = {},
     .touches = always},
    {.what = "number of header fields",
     .compat = true,
     .nginx = "1000 in recent versions, none before",
     .here = "`max_headers 100`",
     .way = "`max_headers 1000;`",
     .directives = {"server"},
     .settled_by = {"max_headers"},
     .touches = is_block},
    {.what = "TLS versions and ciphers",
     .compat = true,
     .nginx = "`HIGH:!aNULL:!MD5`",
     .here = "TLS 1.2 and 1.3, Mozilla's intermediate list (5.7)",
     .way = "`ssl_protocols`, `ssl_ciphers`",
     .directives = {"listen"},
     .settled_by = {"ssl_protocols", "ssl_ciphers"},
     .touches = speaks_tls},
    {.what = "`ssl_ecdh_curve auto`",
     .compat = true,
     .nginx = "OpenSSL's list: X448 and P-521, too",
     .here = "X25519MLKEM768 where OpenSSL has it, X25519, P-256, P-384",
     .way = "`ssl_ecdh_curve X25519:P-256:X448:P-521:P-384;`",
     .directives = {"listen"},
     .settled_by = {"ssl_ecdh_curve"},
     .touches = speaks_tls},
    {.what = "records to clients",
     .compat = true,
     .nginx = "`ssl_buffer_size` from the first",
     .here = "small ones for the first 40 KB and after a pause, then `ssl_buffer_size`",
     .way = "`compat nginx;`",
     .directives = {"listen"},
     .settled_by = {},
     .touches = speaks_tls},
    {.what = "`ssl_session_cache builtin`",
     .compat = false,
     .nginx = "a cache in each worker",
     .here = "a warning; sessions are resumed by tickets or a `shared` cache",
     .way = "none",
     .directives = {"ssl_session_cache"},
     .settled_by = {},
     .touches = has_builtin},
    {.what = "files of `ssl_password_file` and `ssl_session_ticket_key`",
     .compat = true,
     .nginx = "any mode",
     .here = "refused like key files that others can read",
     .way = "`compat nginx;` (a warning instead)",
     .directives = {"ssl_password_file", "ssl_session_ticket_key"},
     .settled_by = {},
     .touches = always},
    {.what = "early data (`ssl_early_data on`)",
     .compat = false,
     .nginx = "every request is passed on; replays are up to the application",
     .here = "once per ClientHello; unsafe methods get 425; `Early-Data: 1` to the backend",
     .way = "none",
     .directives = {"ssl_early_data"},
     .settled_by = {},
     .touches = is_on},
    {.what = "`auth_basic_user_file`",
     .compat = false,
     .nginx = "opened by worker processes, as their `user`, for each request",
     .here = "opened with the configuration, before privileges are dropped, and read again when it "
             "has changed; with variables in its name as nginx's",
     .way = "none",
     .directives = {"auth_basic_user_file"},
     .settled_by = {},
     .touches = always},
    {.what = "key files",
     .compat = true,
     .nginx = "any mode",
     .here = "refused if others can read them, or a group other than root's or `key_group NAME`",
     .way = "`compat nginx;` (a warning instead)",
     .directives = {"ssl_certificate_key"},
     .settled_by = {},
     .touches = always},
    {.what = "bodies and readers that drip",
     .compat = true,
     .nginx = "a byte before each time-out is enough, for days",
     .here = "`client_body_min_rate 500`, `send_min_rate 500`: bytes per second, on average over "
             "about the time-out of the same kind; else 408, or the end of the connection "
             "([limits](limits.md))",
     .way = "`client_body_min_rate 0;` `send_min_rate 0;`",
     .directives = {"server"},
     .settled_by = {"client_body_min_rate", "send_min_rate"},
     .touches = is_block},
    {.what = "`tunnel_pass` to where clients want",
     .compat = true,
     .nginx = "every host and port, those of this machine included",
     .here = "what `tunnel_allow` says: port 443 if it names none, and addresses that are not "
             "public by a network alone; without it nothing, and a 403 ([tunnels](tunnels.md))",
     .way = "`tunnel_allow any:* 0.0.0.0/0:* [::]/0:*;`",
     .directives = {"tunnel_pass"},
     .settled_by = {"tunnel_allow"},
     .touches = chooses_by_client},
    {.what = "files without a `root`",
     .compat = true,
     .nginx = "served from `html` beside nginx's own files",
     .here = "404",
     .way = "`root html;`",
     .directives = {"location"},
     .settled_by = {"root"},
     .touches = serves_no_files_by_name},
    {.what = "symbolic links below a `root` or `alias`",
     .compat = true,
     .nginx = "followed anywhere",
     .here = "followed if relative and inside; else 403",
     .way = "`follow_symlinks anywhere;`",
     .directives = {"root", "alias"},
     .settled_by = {"follow_symlinks"},
     .touches = always},
    {.what = "`%2F` in the path of a file",
     .compat = true,
     .nginx = "a slash",
     .here = "404, as no name has a slash in it",
     .way = "`encoded_slash decode;`",
     .directives = {"root", "alias"},
     .settled_by = {"encoded_slash"},
     .touches = always},
    {.what = "byte ranges in a request",
     .compat = true,
     .nginx = "any number",
     .here = "`max_ranges 32`; more are answered with the whole file",
     .way = "`max_ranges 1000;`",
     .directives = {"root", "alias"},
     .settled_by = {"max_ranges"},
     .touches = always},
    {.what = "directories with very many entries",
     .compat = true,
     .nginx = "listed",
     .here = "`autoindex_max_entries 10000`; with more, 500",
     .way = "`autoindex_max_entries 1000000;`",
     .directives = {"autoindex"},
     .settled_by = {"autoindex_max_entries"},
     .touches = is_on},
    {.what = "a part of an SSI page that breaks off",
     .compat = true,
     .nginx = "the page goes on as if it were whole",
     .here = "the page ends in a reset",
     .way = "`compat nginx`",
     .directives = {"ssi"},
     .settled_by = {},
     .touches = is_on},
    {.what = "`If-*` and `Range` of a client, for a subrequest",
     .compat = true,
     .nginx = "sent to the backend",
     .here = "left out",
     .way = "`compat nginx`",
     .directives = {"auth_request", "ssi"},
     .settled_by = {},
     .touches = always},
    {.what = "`sendfile`",
     .compat = true,
     .nginx = "off",
     .here = "on",
     .way = "`sendfile off;`",
     .directives = {"root", "alias"},
     .settled_by = {"sendfile"},
     .touches = always},
    {.what = "`server_tokens`",
     .compat = true,
     .nginx = "on",
     .here = "off",
     .way = "`server_tokens on;`",
     .directives = {"server"},
     .settled_by = {"server_tokens"},
     .touches = is_block},
    {.what = "`limit_rate`",
     .compat = false,
     .nginx = "a second's worth at once, in steps of a second",
     .here = "a second's worth at once, then in steps of a quarter of a second",
     .way = "none",
     .directives = {"limit_rate"},
     .settled_by = {},
     .touches = always},
    {.what = "backends over `https://`",
     .compat = true,
     .nginx = "not verified",
     .here = "chain, name and expiry verified against `proxy_ssl_trusted_certificate`, else the "
             "system's store; the name is sent as SNI. `https://GROUP` without `proxy_ssl_name` "
             "warns at load",
     .way = "`proxy_ssl_verify off;` `proxy_ssl_server_name off;`",
     .directives = {"proxy_pass"},
     .settled_by = {"proxy_ssl_verify"},
     .touches = passes_to_https},
    {.what = "backends over `grpcs://`",
     .compat = true,
     .nginx = "not verified",
     .here = "as those over `https://`, by the `grpc_ssl_` directives",
     .way = "`grpc_ssl_verify off;` `grpc_ssl_server_name off;`",
     .directives = {"grpc_pass"},
     .settled_by = {"grpc_ssl_verify"},
     .touches = passes_to_grpcs},
    {.what = "`grpc_pass`: the proxy's own errors, deadlines, `TE`",
     .compat = true,
     .nginx = "errors of HTTP; `grpc-timeout` is passed on, `TE: trailers` if the client sent it",
     .here = "a request of type `application/grpc` gets a status of gRPC's; at the end of its "
             "`grpc-timeout` that is DEADLINE_EXCEEDED; `TE: trailers` is always sent "
             "([gRPC](grpc.md))",
     .way = "`compat nginx;`",
     .directives = {"grpc_pass"},
     .settled_by = {},
     .touches = always},
    {.what = "chains of backends' certificates",
     .compat = true,
     .nginx = "`proxy_ssl_verify_depth 1`: one intermediate",
     .here = "`proxy_ssl_verify_depth 4`",
     .way = "`proxy_ssl_verify_depth 1;`",
     .directives = {"proxy_pass"},
     .settled_by = {"proxy_ssl_verify_depth"},
     .touches = is_verified},
    {.what = "static RSA, PSK and anonymous ciphers in `proxy_ssl_ciphers`",
     .compat = false,
     .nginx = "as it says, `DEFAULT`",
     .here = "never",
     .way = "`proxy_ssl_conf_command CipherString DEFAULT;`; none for anonymous ones",
     .directives = {"proxy_ssl_ciphers"},
     .settled_by = {},
     .touches = always},
    {.what = "`proxy_ssl_conf_command`",
     .compat = false,
     .nginx = "whatever OpenSSL takes",
     .here = "`VerifyMode`, anonymous and unencrypted ciphers are refused; compression and "
             "renegotiation stay off",
     .way = "none",
     .directives = {"proxy_ssl_conf_command"},
     .settled_by = {},
     .touches = always},
    {.what = "`proxy_ssl_certificate_cache`",
     .compat = true,
     .nginx = "`off`: files named by variables are read for each connection",
     .here = "`max=100 inactive=10s valid=1m`; with `off`, files are read for each request, whose "
             "connection is not kept",
     .way = "`proxy_ssl_certificate_cache off;`",
     .directives = {"proxy_ssl_certificate"},
     .settled_by = {"proxy_ssl_certificate_cache"},
     .touches = has_variables},
    {.what = "`proxy_ssl_certificate`, `proxy_ssl_certificate_key` with variables",
     .compat = false,
     .nginx = "any name; a kept connection serves requests whatever certificate it was made with",
     .here = "names with `..`, control characters or more than 1024 bytes are refused; regular "
             "files of at most 1 MB, keys not open to everyone; connections and sessions are kept "
             "apart by certificate; failures are remembered for a second",
     .way = "`compat nginx;` (the mode of keys only)",
     .directives = {"proxy_ssl_certificate", "proxy_ssl_certificate_key"},
     .settled_by = {},
     .touches = has_variables},
    {.what = "`proxy_ssl_password_file`",
     .compat = false,
     .nginx = "any mode, also a named pipe",
     .here = "a regular file, private as keys are",
     .way = "`compat nginx;` (a warning about the mode)",
     .directives = {"proxy_ssl_password_file"},
     .settled_by = {},
     .touches = always},
    {.what =
         "forwarding headers from clients (`Forwarded`, `X-Real-IP`, and every `X-Forwarded-*`)",
     .compat = true,
     .nginx = "passed on as they came",
     .here = "dropped unless the peer is in `trusted_proxies`; `$proxy_add_x_forwarded_for` begins "
             "anew. `$http_*` still shows what arrived",
     .way = "`trusted_proxies 0.0.0.0/0 ::/0;`",
     .directives = {"proxy_pass", "grpc_pass"},
     .settled_by = {"trusted_proxies"},
     .touches = always},
    {.what = "header names with characters other than letters, digits and `-`",
     .compat = false,
     .nginx = "dropped, unless `underscores_in_headers on` or `ignore_invalid_headers off`",
     .here = "never forwarded; `$http_*` shows them",
     .way = "none",
     .directives = {"proxy_pass", "grpc_pass"},
     .settled_by = {},
     .touches = always},
    {.what = "`proxy_set_header` of `Content-Length` or `Transfer-Encoding`",
     .compat = false,
     .nginx = "sent as given",
     .here = "ignored with a warning; an empty value is fine",
     .way = "none",
     .directives = {"proxy_set_header"},
     .settled_by = {},
     .touches = frames},
    {.what = "the path without a URI in `proxy_pass`",
     .compat = true,
     .nginx = "the received bytes",
     .here = "the received bytes if they decode to exactly the path that was matched, else that "
             "path (`//` and `/./` are gone)",
     .way = "`compat nginx;`",
     .directives = {"proxy_pass"},
     .settled_by = {},
     .touches = passes_path},
    {.what = "protocol",
     .compat = false,
     .nginx = "HTTP/1.0 before 1.29.7",
     .here = "HTTP/1.1",
     .way = "`proxy_http_version 1.0;`",
     .directives = {"proxy_pass"},
     .settled_by = {"proxy_http_version"},
     .touches = always},
    {.what = "connections kept open",
     .compat = true,
     .nginx = "none before 1.29.7; since then 32, each for the location that opened it",
     .here = "64 idle ones for each group and worker, for all locations",
     .way = "`keepalive 0;` or `keepalive 32 local;` in the `upstream` block",
     .directives = {"upstream"},
     .settled_by = {"keepalive"},
     .touches = is_block},
    {.what = "`proxy_buffering on`",
     .compat = false,
     .nginx = "answers are gathered in full buffers, then in a file, as fast as the backend sends",
     .here =
         "what has arrived is sent on at once; the backend is read no faster than the client takes",
     .way = "none",
     .directives = {"proxy_pass"},
     .settled_by = {},
     .touches = is_buffered},
    {.what = "names of backends (`proxy_pass http://app.example`, `server app.example;`)",
     .compat = true,
     .nginx = "resolved once, at start; one that is unknown then is an error",
     .here = "looked up again when their TTL ends, by the system, without `resolver` and without "
             "`resolve`; one that is unknown at start is a warning, then 502 until it is found "
             "([names](names.md))",
     .way = "`compat nginx;` makes an unknown name an error again",
     .directives = {"proxy_pass", "server"},
     .settled_by = {},
     .touches = goes_to_a_name},
    {.what = "names that come out of variables, and `server … resolve`, without a `resolver`",
     .compat = false,
     .nginx = "502; an error",
     .here = "the system's name servers and `/etc/hosts` are asked",
     .way = "set `resolver`",
     .directives = {"proxy_pass", "grpc_pass"},
     .settled_by = {"resolver"},
     .touches = has_variables},
    {.what = "`proxy_buffer_size`",
     .compat = false,
     .nginx = "a page (4k or 8k) by default",
     .here = "64k by default, at most 256k; bounds the head alone",
     .way = "`proxy_buffer_size 4k;`",
     .directives = {"proxy_pass"},
     .settled_by = {"proxy_buffer_size"},
     .touches = always},
    {.what = "`underscores_in_headers on` and names such as `X_Forwarded_For`",
     .compat = false,
     .nginx = "passed on",
     .here = "dropped unless the client is in `trusted_proxies`",
     .way = "none",
     .directives = {"underscores_in_headers"},
     .settled_by = {},
     .touches = is_on},
    {.what = "trailers of a backend's answer",
     .compat = true,
     .nginx = "dropped",
     .here = "passed on",
     .way = "`proxy_pass_trailers off;`",
     .directives = {"proxy_pass"},
     .settled_by = {"proxy_pass_trailers"},
     .touches = always},
    {.what = "a backend's 103 (Early Hints) without `early_hints`",
     .compat = true,
     .nginx = "dropped",
     .here = "passed on",
     .way = "`early_hints 0;`",
     .directives = {"proxy_pass"},
     .settled_by = {"early_hints"},
     .touches = always},
    {.what = "access log",
     .compat = true,
     .nginx = "`logs/access.log` unless configured",
     .here = "none unless configured",
     .way = "`access_log FILE;`",
     .directives = {"server"},
     .settled_by = {"access_log"},
     .touches = is_block},
    {.what = "credentials in logs (`$http_authorization`, `$http_cookie`, `$cookie_*`, "
             "`$sent_http_set_cookie`, `$upstream_cookie_*`, …, and `$remote_user`, which nobody "
             "verifies yet)",
     .compat = false,
     .nginx = "written",
     .here = "`[redacted]`; a format that names one warns at load",
     .way = "none",
     .directives = {"log_format"},
     .settled_by = {},
     .touches = shows_credentials},
    {.what = "new log files",
     .compat = false,
     .nginx = "mode 0644",
     .here = "mode 0640",
     .way = "make the file first",
     .directives = {"access_log", "error_log"},
     .settled_by = {},
     .touches = names_a_file},
    {.what = "error log",
     .compat = false,
     .nginx = "`logs/error.log`",
     .here = "stderr until `-e` or `error_log` says otherwise",
     .way = "`-e FILE`",
     .directives = {"server"},
     .settled_by = {"error_log"},
     .touches = is_block},
    {.what = "the tag of syslog messages",
     .compat = false,
     .nginx = "`nginx`",
     .here = "`sallyport`",
     .way = "`tag=nginx`",
     .directives = {"access_log", "error_log"},
     .settled_by = {},
     .touches = is_untagged_syslog},
};

bool is_settled(const NginxDifference& difference, Surroundings around) {
  if (difference.settled_by.front().empty()) return false;
  return std::ranges::all_of(difference.settled_by, [&](std::string_view name) {
    return name.empty() || holding(around, name) != nullptr;
  });
}

class Comparison {
 public:
  explicit Comparison(std::vector<Touched>& touched, bool compat)
      : touched_(touched), compat_(compat) {}

  void search(const Directives& directives) {
    around_.push_back(&directives);
    for (const Directive& directive : directives) {
      if (directive.has_block) around_.push_back(&directive.block);
      compare(directive);
      if (directive.has_block) {
        around_.pop_back();
        search(directive.block);
      }
    }
    around_.pop_back();
  }

 private:
  void compare(const Directive& directive) {
    for (const NginxDifference& difference : kDifferences) {
      if (compat_ && difference.compat) continue;
      if (std::ranges::find(difference.directives, directive.name.text) ==
              difference.directives.end() ||
          is_settled(difference, around_) || !difference.touches(directive, around_)) {
        continue;
      }
      auto known = std::ranges::find(touched_, &difference, &Touched::difference);
      if (known == touched_.end()) known = touched_.insert(known, {&difference, {}});
      known->places.push_back(directive.name.at);
    }
  }

  std::vector<Touched>& touched_;
  bool compat_;
  std::vector<const Directives*> around_;
};

}  // namespace

std::vector<WithoutEffect> without_effect(const config::Tree& tree,
                                          const config::Vocabulary& vocabulary) {
  std::vector<WithoutEffect> found;
  Finder(vocabulary, found).search(tree.directives, Context::main);
  return found;
}

std::span<const NginxDifference> nginx_differences() noexcept { return kDifferences; }

std::vector<Touched> differences_of(const config::Tree& tree) {
  const Directive* compat = config::find_directive(tree, "compat");
  std::vector<Touched> touched;
  Comparison(touched, compat != nullptr && first_argument(*compat) == "nginx")
      .search(tree.directives);
  std::ranges::sort(touched, {}, &Touched::difference);
  return touched;
}

}  // namespace snapshot
