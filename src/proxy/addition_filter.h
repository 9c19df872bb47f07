// AdditionFilter: the responses of subrequests before and behind a body (filter/addition.h).
#pragma once

#include "filter/addition.h"
#include "filter/body_filter.h"
#include "proxy/context.h"

namespace proxy {

/// The response of a subrequest for `path`, as a part of the parent's body. Parts that can't be
/// made are left out, with a line in the error log. `sink` is what the body goes to.
[[nodiscard]] async::Task<base::Result<void>> write_part(Context& parent, std::string_view path,
                                                         http::BodySink& sink);

class AdditionFilter final : public filter::BodyFilter {
 public:
  AdditionFilter(Context& context, const filter::AdditionOptions& options) noexcept
      : context_(context), options_(options) {}

  [[nodiscard]] async::Task<base::Result<void>> write(std::string_view piece, http::Then then,
                                                      io::Patience patience) override;

 private:
  Context& context_;
  const filter::AdditionOptions& options_;
  bool begun_ = false;
};

}  // namespace proxy
