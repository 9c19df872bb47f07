// The files of a request's place: asked of open_file_cache where there is one, else of the disk.
#pragma once

#include "base/result.h"
#include "content/file.h"
#include "content/file_path.h"
#include "proxy/context.h"

namespace proxy {

/// As content::Roots::open and look.
[[nodiscard]] base::Result<content::File> open_file(Context& context,
                                                    const content::StaticPlan& plan,
                                                    const content::FilePath& path);
[[nodiscard]] base::Result<content::FileStatus> look_at_file(Context& context,
                                                             const content::StaticPlan& plan,
                                                             const content::FilePath& path);

}  // namespace proxy
