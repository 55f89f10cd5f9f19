from setuptools import find_packages, setup

package_name = "vital_sim"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["py.typed", "paper_results.yaml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    entry_points={
        "console_scripts": [
            "sim_node = vital_sim.ros.sim_node:main",
            "operator_node = vital_sim.ros.operator_node:main",
            "collect_demos = vital_sim.demonstrations.collect_demos:main",
            "validate = vital_sim.validation.validity:main",
            "evaluate = vital_sim.evaluation.evaluate:main",
            "report = vital_sim.evaluation.report:main",
        ]
    },
    maintainer="ViTaL developers",
    maintainer_email="vital@example.org",
    license="Apache-2.0",
)
