// A connection whose records are protected by `records`: reading and writing them.
#include <fmt/core.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "tls/connection.h"

namespace tls {
namespace {

using Connection = TlsStream::Connection;
using base::Error;
using base::ErrorCode;

// Where records are opened. What does not fit into the reader's memory is moved out of it before
// the call ends.
constexpr std::size_t kScratch = 4 * RecordLayer::kMaxRecord;
std::span<char> scratch() noexcept {
  thread_local std::array<char, kScratch> bytes;
  return bytes;
}

bool holds_a_record(std::span<const char> bytes) noexcept {
  const std::size_t size = RecordLayer::size_of_first(bytes);
  return size != 0 && size <= bytes.size();
}

std::string_view text_of(std::span<const char> bytes) noexcept {
  return {bytes.data(), bytes.size()};
}

}  // namespace

std::size_t Connection::take_plain(std::span<char> into) noexcept {
  const auto waiting = std::string_view(plain).substr(plain_at);
  const std::size_t count = std::min(waiting.size(), into.size());
  base::copy_bytes(waiting.substr(0, count), into);
  plain_at += count;
  if (plain_at == plain.size()) {
    std::string().swap(plain);  // an idle connection holds no buffer
    plain_at = 0;
  }
  return count;
}

// Adds to the front of `into` what the inbox holds and, unless that is a record, what there is to
// read; returns it.
std::span<char> Connection::receive(std::span<char> into) noexcept {
  std::size_t have = inbox.size();
  base::copy_bytes(inbox, into);
  if (!inbox.empty()) std::string().swap(inbox);
  while (!holds_a_record(into.first(have)) && have < into.size()) {
    const auto count = lower->try_read(into.subspan(have));
    if (!count) {
      if (!count.error().is(ErrorCode::would_block)) broken = count.error();
      break;
    }
    if (*count == 0) {
      lower_ended = read_ended = truncated = true;
      break;
    }
    have += *count;
    if (have >= kRecordHeader) {
      if (const auto fine = RecordLayer::check_header(into.first(kRecordHeader)); !fine) {
        fail_from_records(fine.error());
        break;
      }
    }
  }
  return into.first(have);
}

// Opens the records in `bytes` until `into` is full; how many bytes were put there. What is left of
// `bytes` goes to the inbox, what is left of a record to `plain`.
std::size_t Connection::open_records(std::span<char> bytes, std::span<char> into) noexcept {
  std::size_t total = 0;
  while (total < into.size() && !read_ended && !broken && bytes.size() >= kRecordHeader) {
    if (const auto fine = RecordLayer::check_header(bytes); !fine) {
      fail_from_records(fine.error());
      break;
    }
    if (!holds_a_record(bytes)) break;
    const std::size_t size = RecordLayer::size_of_first(bytes);
    CHECK(gathered().empty());
    const auto read = records->read(bytes.first(size), gathered());
    bytes = bytes.subspan(size);
    if (!read) {
      fail_from_records(read.error());
      break;
    }
    if (!gathered().empty()) send_replies();
    if (read->what == RecordLayer::Read::What::end) {
      read_ended = true;
    } else if (read->what == RecordLayer::Read::What::data) {
      const auto room = into.subspan(total);
      const std::size_t count = std::min(room.size(), read->data.size());
      base::copy_bytes(text_of(read->data.first(count)), room);
      if (count < read->data.size()) plain = text_of(read->data.subspan(count));
      total += count;
    }
    if (held_back()) break;
  }
  if (!bytes.empty() && !read_ended && !broken) inbox = text_of(bytes);
  return total;
}

base::Result<std::size_t> Connection::read_records(std::span<char> into) noexcept {
  std::size_t total = plain.empty() ? 0 : take_plain(into);
  while (total < into.size() && !read_ended && !broken && !held_back()) {
    if (total > 0 && !holds_a_record(inbox) && !lower->may_be_ready(io::Direction::read)) break;
    // About as much as the reader has room for, so that little has to be kept for its next call.
    const std::size_t wanted = std::max(RecordLayer::kMaxRecord, into.size() - total);
    const auto bytes = receive(scratch().first(std::min(wanted, kScratch)));
    const bool whole = holds_a_record(bytes);
    total += open_records(bytes, into.subspan(total));
    if (!whole) break;
  }
  buffered = !plain.empty() || holds_a_record(inbox);
  if (total > 0) return total;
  if (read_ended) return 0U;
  return broken ? base::fail(*broken) : base::fail(ErrorCode::would_block);
}

bool Connection::write_record(std::span<const char> content) noexcept {
  if (records->write(content, gathered())) return true;
  fail_from_ssl("protecting a record failed", SSL_ERROR_SSL);
  return false;
}

void Connection::fail_from_records(const RecordLayer::Failure& what) noexcept {
  if (what.flood) library.count(observe::Counter::limit_records_without_data);
  if (!what.received) {
    records->write_alert(what.alert, gathered());
    flush();
  }
  if (broken) return;  // the stream below said why
  failure = fmt::format("SSL_read() failed (SSL: {})", what.reason);
  broken = Error{.code = ErrorCode::tls, .context = "SSL connection failed"};
}

}  // namespace tls
