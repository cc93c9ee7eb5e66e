/// The one place of the version: CMake reads these three lines.
#pragma once

/// Before 1.0, a new minor version may break its users; from then on, a new major version.
#define ONOMA_VERSION_MAJOR 0
/// The middle part.
#define ONOMA_VERSION_MINOR 1
/// The last part: mended faults alone.
#define ONOMA_VERSION_PATCH 0
