#include "config/recorded_files.h"

#include <iterator>
#include <optional>

namespace config {
namespace {

using Request = FileRecord::Request;

FileRecord record_of(Request request, std::string name, Purpose purpose) {
  FileRecord record;
  record.request = request;
  record.name = std::move(name);
  record.purpose = purpose;
  return record;
}

void keep_failure(FileRecord& record, const base::Error& error) {
  record.failed = true;
  record.error = error.code;
  record.os_error = error.os_error;
}

/// The failure that a record holds, without its words: those were told where it happened.
base::Error failure_of(const FileRecord* record) {
  if (record == nullptr) return {.code = base::ErrorCode::not_found, .context = kWithheld};
  return {.code = record->error, .os_error = record->os_error};
}

base::Result<base::Fd> duplicate(const FileRecord& record) {
  if (!record.fd) return base::fail(base::ErrorCode::not_permitted, kWithheld);
  base::Fd copy = record.fd.duplicate();
  if (!copy) return base::fail(base::ErrorCode::exhausted, "too many open files");
  return copy;
}

}  // namespace

FileRecords::FileRecords(std::vector<FileRecord> records) {
  for (FileRecord& record : records) add(std::move(record));
}

const FileRecord* FileRecords::find(Request request, const std::string& name,
                                    Purpose purpose) const {
  const auto found = index_.find(Key{request, purpose, name});
  return found == index_.end() ? nullptr : &records_[found->second];
}

const FileRecord& FileRecords::add(FileRecord record) {
  index_.emplace(Key{record.request, record.purpose, record.name}, records_.size());
  records_.push_back(std::move(record));
  return records_.back();
}

std::vector<FileRecord> FileRecords::take() {
  index_.clear();
  return std::exchange(records_, {});
}

base::Result<std::string> RecordingFiles::read_text(std::string_view path, Purpose purpose) {
  if (purpose == Purpose::key) {
    TRY(const base::Fd fd, open(path, purpose));
    return read_all(fd, kMaxText);
  }
  const std::string name = full_name(path, purpose);
  if (const FileRecord* known = records_.find(Request::read, name, purpose)) {
    if (known->failed) return base::fail(failure_of(known));
    return known->text;
  }
  auto text = inner_.read_text(path, purpose);
  FileRecord record = record_of(Request::read, name, purpose);
  if (text) {
    record.text = *text;
  } else {
    keep_failure(record, text.error());
  }
  records_.add(std::move(record));
  return text;
}

base::Result<base::Fd> RecordingFiles::open(std::string_view path, Purpose purpose) {
  const std::string name = full_name(path, purpose);
  const FileRecord* known = records_.find(Request::open, name, purpose);
  if (known == nullptr) {
    auto fd = inner_.open(path, purpose);
    FileRecord record = record_of(Request::open, name, purpose);
    if (!fd) {
      keep_failure(record, fd.error());
      records_.add(std::move(record));
      return fd;
    }
    record.fd = *std::move(fd);
    known = &records_.add(std::move(record));
  }
  if (known->failed) return base::fail(failure_of(known));
  return duplicate(*known);
}

base::Result<std::vector<std::string>> RecordingFiles::glob(std::string_view pattern) {
  auto matches = inner_.glob(pattern);
  const std::string name = full_name(pattern, Purpose::config);
  if (records_.find(Request::glob, name, Purpose::config) == nullptr) {
    FileRecord record = record_of(Request::glob, name, Purpose::config);
    if (matches) {
      record.matches = *matches;
    } else {
      keep_failure(record, matches.error());
    }
    records_.add(std::move(record));
  }
  return matches;
}

base::Result<std::vector<std::string>> RecordingFiles::resolve(std::string_view host) {
  const std::string name(host);
  if (const FileRecord* known = records_.find(Request::resolve, name, Purpose::place)) {
    if (known->failed) return base::fail(failure_of(known));
    return known->matches;
  }
  auto addresses = inner_.resolve(host);
  FileRecord record = record_of(Request::resolve, name, Purpose::place);
  if (addresses) {
    record.matches = *addresses;
  } else {
    keep_failure(record, addresses.error());
  }
  records_.add(std::move(record));
  return addresses;
}

base::Result<std::string> ReceivedFiles::read_text(std::string_view path, Purpose purpose) {
  if (purpose == Purpose::key) {
    TRY(const base::Fd fd, open(path, purpose));
    return read_all(fd, kMaxText);
  }
  const FileRecord* known = records_.find(Request::read, full_name(path, purpose), purpose);
  if (known == nullptr || known->failed) return base::fail(failure_of(known));
  return known->text;
}

base::Result<base::Fd> ReceivedFiles::open(std::string_view path, Purpose purpose) {
  const FileRecord* known = records_.find(Request::open, full_name(path, purpose), purpose);
  if (known == nullptr || known->failed) return base::fail(failure_of(known));
  return duplicate(*known);
}

base::Result<std::vector<std::string>> ReceivedFiles::glob(std::string_view pattern) {
  const FileRecord* known =
      records_.find(Request::glob, full_name(pattern, Purpose::config), Purpose::config);
  if (known == nullptr || known->failed) return base::fail(failure_of(known));
  return known->matches;
}

base::Result<std::vector<std::string>> ReceivedFiles::resolve(std::string_view host) {
  const FileRecord* known = records_.find(Request::resolve, std::string(host), Purpose::place);
  if (known == nullptr || known->failed) return base::fail(failure_of(known));
  return known->matches;
}

std::vector<std::pair<std::string, base::Fd>> withhold_keys(std::vector<FileRecord>& records) {
  std::vector<std::pair<std::string, base::Fd>> keys;
  for (FileRecord& record : records) {
    if (record.purpose == Purpose::key && record.fd) {
      keys.emplace_back(record.name, std::move(record.fd));
    }
  }
  return keys;
}

}  // namespace config
