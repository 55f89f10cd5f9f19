from setuptools import find_packages, setup

package_name = "vital_monitor"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["network/*.html", "py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    entry_points={"console_scripts": ["monitor_node = vital_monitor.monitor_node:main"]},
    maintainer="ViTaL developers",
    maintainer_email="vital@example.org",
    license="Apache-2.0",
)
