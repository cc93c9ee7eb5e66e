/// The one place of the version: CMake reads these three lines.
#pragma once

#define ONOMA_VERSION_MAJOR 0
#define ONOMA_VERSION_MINOR 1
#define ONOMA_VERSION_PATCH 0
