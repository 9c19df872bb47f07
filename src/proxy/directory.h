// Directories as answers: what random_index chooses and what autoindex lists.
#pragma once

#include <expected>
#include <string_view>

#include "content/file_path.h"
#include "proxy/context.h"

namespace proxy {

/// The name of one of the directory's files, each as likely as the others; empty where there is
/// none. Or what is answered instead, logged.
[[nodiscard]] std::expected<std::string_view, Answer> choose_file(
    Context& context, const content::StaticPlan& plan, const content::FilePath& directory);

/// The page of the directory, or why there is none, logged.
[[nodiscard]] Answer list_directory(Context& context, const content::StaticPlan& plan,
                                    const content::FilePath& directory);

}  // namespace proxy
