#include "proxy/client_certificates.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/fd.h"
#include "base/text.h"
#include "config/file_source.h"
#include "tls/private_key.h"

namespace proxy {

using observe::Counter;

namespace {

std::string_view what_is(config::Purpose purpose) {
  return purpose == config::Purpose::key ? "certificate key" : "certificate";
}

std::string cannot_load(config::Purpose purpose, std::string_view name, std::string_view why,
                        std::string_view advice = {}) {
  return fmt::format("cannot load {} \"{}\": {}{}{}", what_is(purpose), name, why,
                     advice.empty() ? "" : "; ", advice);
}

std::string cannot_open(config::Purpose purpose, const std::string& name,
                        const base::Error& error) {
  if (error.context == config::kOpenToEveryone) {
    return cannot_load(purpose, name, error.context, fmt::format("chmod o= {}", name));
  }
  if (error.os_error == 0) {
    return cannot_load(purpose, name, error.context, "it must be a PEM file of at most a megabyte");
  }
  std::string_view advice =
      "since its name has variables, server processes read it, as their \"user\": let that user, "
      "or its group, read it and enter its folders";
  if (error.os_error == ENOENT) {
    advice = "its name has variables: put the file there, or see what their values are";
  }
  return cannot_load(purpose, name, base::describe(error.during("open() failed")), advice);
}

}  // namespace

std::string_view problem_of_file_name(std::string_view name) noexcept {
  if (name.size() > ClientCertificateCache::kLongestName) return "is longer than 1024 bytes";
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; };
  if (std::ranges::any_of(name, is_control)) return "has a control character in it";
  for (std::string_view rest = name; !rest.empty();) {
    if (base::split_first(rest, '/') == "..") return "has a \"..\" in its path";
  }
  return {};
}

ClientCertificateCache::ClientCertificateCache(Surroundings surroundings,
                                               const NamedCertificate& named)
    : around_(surroundings), named_(named), good_(std::max(named.cache.most, std::size_t{1})) {}

std::expected<ClientCertificateCache::Shown, std::string> ClientCertificateCache::find(
    std::string_view certificate, std::string_view key) {
  if (certificate.empty()) return nullptr;
  for (const auto& [directive, name] : {std::pair{"proxy_ssl_certificate", certificate},
                                        std::pair{"proxy_ssl_certificate_key", key}}) {
    const std::string_view problem = name.empty() ? "is empty" : problem_of_file_name(name);
    if (problem.empty()) continue;
    around_.counters.add(Counter::upstream_certificate_names_refused);
    // Without the name: it may be anything.
    return std::unexpected(
        fmt::format("no file is opened: the name that the variables in \"{}\" give {}; see where "
                    "their values come from",
                    directive, problem));
  }
  const base::TimePoint now = around_.loop.now();
  std::string names = fmt::format("{}\n{}", certificate, key);  // neither has a line break
  if (const std::string* why = known_failure(names)) {
    around_.counters.add(Counter::upstream_certificates_failed);
    return std::unexpected(*why);
  }
  Good* const known = good_.find(names);
  if (known != nullptr && now - known->read < named_.cache.valid &&
      now - known->used < named_.cache.inactive) {
    around_.counters.add(Counter::upstream_certificates_found);
    known->used = now;
    return known->shown;
  }
  around_.counters.add(Counter::upstream_certificates_read);
  Found loaded =
      load(full_name(certificate), full_name(key), known != nullptr ? known->shown : nullptr);
  if (loaded) {
    if (named_.cache.most > 0) keep(std::move(names), *loaded);
    return loaded;
  }
  around_.counters.add(Counter::upstream_certificates_failed);
  if (known != nullptr) {
    good_.erase_if([&](const std::string& other, const Good&) { return other == names; });
  }
  failed_.put(std::move(names), {.sentence = loaded.error(), .read = now});
  sweep_later();
  return loaded;
}

const std::string* ClientCertificateCache::known_failure(const std::string& names) {
  const Failed* const failed = failed_.find(names);
  if (failed == nullptr || around_.loop.now() - failed->read >= kFailureLasts) return nullptr;
  return &failed->sentence;
}

void ClientCertificateCache::keep(std::string names, Shown shown) {
  const base::TimePoint now = around_.loop.now();
  if (good_.size() >= named_.cache.most && good_.find(names) == nullptr) {
    around_.counters.add(Counter::limit_upstream_certificates);
  }
  good_.put(std::move(names), {.shown = std::move(shown), .read = now, .used = now});
  sweep_later();
}

std::string ClientCertificateCache::full_name(std::string_view name) const {
  return name.starts_with('/') ? std::string(name) : named_.directory + std::string(name);
}

std::expected<std::string, std::string> ClientCertificateCache::read(
    const std::string& name, config::Purpose purpose) const {
  // Without blocking: it may be a pipe, which is refused then.
  const base::Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return std::unexpected(cannot_open(purpose, name, base::error_from_errno(errno)));
  struct stat status{};
  // Its group may read it: that is how `user` does, where the key is another's.
  if (purpose == config::Purpose::key && !named_.take_exposed_keys &&
      ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode) &&
      (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return std::unexpected(
        cannot_open(purpose, name,
                    {.code = base::ErrorCode::not_permitted, .context = config::kOpenToEveryone}));
  }
  auto text = config::read_all(fd, kLargestFile);
  if (!text) return std::unexpected(cannot_open(purpose, name, text.error()));
  return *std::move(text);
}

std::expected<tls::PrivateKeyPtr, std::string> ClientCertificateCache::read_key(
    const std::string& name) const {
  TRY(std::string pem, read(name, config::Purpose::key));
  auto opened = tls::PrivateKey::parse(pem, named_.passwords);
  const bool encrypted = tls::is_encrypted(pem);
  tls::wipe(pem);
  if (opened) return *std::move(opened);
  std::string_view advice = "it must be a private key, PEM";
  if (encrypted) {
    advice = named_.passwords.empty() ? "name a file with its password: proxy_ssl_password_file"
                                      : "see proxy_ssl_password_file";
  }
  return std::unexpected(cannot_load(config::Purpose::key, name, opened.error(), advice));
}

ClientCertificateCache::Found ClientCertificateCache::load(const std::string& certificate,
                                                           const std::string& key,
                                                           const Shown& before) {
  TRY(const std::string pem, read(certificate, config::Purpose::certificate));
  const auto chain = tls::Certificate::parse(pem);
  if (!chain) {
    return std::unexpected(cannot_load(config::Purpose::certificate, certificate, chain.error(),
                                       "it must be a certificate, PEM"));
  }
  TRY(const tls::PrivateKeyPtr opened, read_key(key));
  if (const auto wrong = tls::mismatch(**chain, opened->id())) {
    return std::unexpected(cannot_load(config::Purpose::key, key, *wrong,
                                       fmt::format("the certificate is in \"{}\"", certificate)));
  }
  const tls::KeyId& fingerprint = (*chain)->facts().fingerprint;
  if (before != nullptr && before->fingerprint == fingerprint && before->key_id == opened->id()) {
    return before;
  }
  tls::ClientPolicy policy = *named_.policy;
  policy.certificate = *chain;
  auto context = tls::ClientContext::make(around_.library, policy);
  if (!context) {
    return std::unexpected(cannot_load(config::Purpose::certificate, certificate, context.error(),
                                       "see proxy_ssl_ciphers and proxy_ssl_conf_command"));
  }
  return std::make_shared<const ShownCertificate>(
      ShownCertificate{.key = around_.signer.hold(std::array{opened}),
                       .context = *std::move(context),
                       .fingerprint = fingerprint,
                       .key_id = opened->id()});
}

// Keys are not kept for somebody who may never come again: what was not used for `inactive` goes
// within twice that time.
void ClientCertificateCache::sweep_later() {
  if (linked()) return;
  const base::Duration pause = std::max<base::Duration>(named_.cache.inactive, kFailureLasts);
  around_.loop.timers().set(*this, around_.loop.now() + pause);
}

void ClientCertificateCache::on_timer() noexcept {
  const base::TimePoint now = around_.loop.now();
  good_.erase_if([&](const std::string&, const Good& entry) {
    return now - entry.used >= named_.cache.inactive;
  });
  failed_.erase_if(
      [&](const std::string&, const Failed& entry) { return now - entry.read >= kFailureLasts; });
  if (good_.size() > 0 || failed_.size() > 0) sweep_later();
}

}  // namespace proxy
