/// Eigen maps see the elements of onoma's views, strides included, and the other way round.
#include <onoma/interop/eigen.hpp>

#include <doctest/doctest.h>

TEST_CASE("a strided view becomes an Eigen map of the same memory") {
  float data[12] = {0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1};
  onoma::mat<float> view{data, 3, 3, 4};
  auto map = onoma::as_eigen(view);
  CHECK(map(2, 1) == 7.0F);
  CHECK(map.sum() == 36.0F);  // small integers: exact; the -1 of the stride is not part of it
  map(0, 2) = 20.0F;
  CHECK(data[2] == 20.0F);

  const auto constant = onoma::as_eigen(onoma::mat<const float>(view));
  CHECK(constant(1, 0) == 3.0F);
  CHECK(onoma::as_eigen(view.row(1)).sum() == 12.0F);
}

TEST_CASE("an Eigen matrix becomes a view") {
  Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> m(2, 3);
  m << 1, 2, 3, 4, 5, 6;
  const auto view = onoma::as_mat(m);
  CHECK(view.rows == 2);
  CHECK(view.cols == 3);
  CHECK(view(1, 2) == 6.0);
}
