from glob import glob

from setuptools import find_packages, setup

package_name = "vital_vlm_reach"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["py.typed", "pointing/examination/*.yaml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
        (f"share/{package_name}/weights", glob("weights/*")),
        (f"share/{package_name}/references", glob("references/*")),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    maintainer="ViTaL developers",
    maintainer_email="vital@example.org",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "vlm_reach_node = vital_vlm_reach.vlm_reach_node:main",
            "moveit_node = vital_vlm_reach.moveit.moveit_node:main",
            "train_pointing = vital_vlm_reach.pointing.training.train:main",
            "render_references = vital_vlm_reach.localisation.render_references:main",
            "convert_weights = vital_vlm_reach.pointing.convert_weights:main",
        ],
        "vital.locators": ["reach = vital_vlm_reach.localisation.locator:TaskLocator"],
    },
)
