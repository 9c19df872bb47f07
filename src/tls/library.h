// Library: a worker's OpenSSL. One OSSL_LIB_CTX per worker, because OpenSSL 3.0 takes its context's
// global locks several times per handshake; it holds the default provider and ours, whose keys are
// key ids and whose signatures come from a Signer.
//
// Belongs to the thread that made it, is that thread's default context until it is destroyed, and
// outlives every context and stream that was made with it.
#pragma once

#include <cstddef>
#include <memory>

#include "tls/signer.h"

namespace observe {
class Counters;
}

namespace tls {

class Library {
 public:
  /// `counters` (null: nobody's) outlive it.
  explicit Library(Signer& signer, observe::Counters* counters = nullptr);
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  /// How many certificates stay parsed, 1 or more; those used last do. 1000 unless told.
  void keep_certificates(std::size_t most);

  struct State;
  [[nodiscard]] State& state() noexcept { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

/// "OpenSSL 3.0.16 11 Feb 2025": the version that runs, for -V.
[[nodiscard]] const char* library_version() noexcept;

}  // namespace tls
