/// A program whose kernels are picked at run time: says which, and that they compute.
#include <onoma/backend/cpu/backend.hpp>

#include <iostream>
#include <string>

int main(int argc, char** argv) {
  try {
    onoma::cpu_backend device;
    const float weight[] = {1.0F, 2.0F, 3.0F, 4.0F};
    const float x[] = {1.0F, 10.0F};
    float y[2] = {};
    auto packed = device.make_packed(2, 2, false);
    device.pack({weight, 2, 2}, packed);
    device.linear({x, 1, 2}, packed, {}, {y, 1, 2});
    std::cout << device.kernels().name << '\n';
    const bool expected = argc < 2 || device.kernels().name == std::string(argv[1]);
    return expected && y[0] == 21.0F && y[1] == 43.0F ? 0 : 1;
  } catch (const onoma::error& e) {
    std::cout << e.what() << '\n';
    return e.code() == onoma::error_code::unsupported ? 2 : 1;
  }
}
