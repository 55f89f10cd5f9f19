from glob import glob

from setuptools import find_packages, setup

package_name = "vital_vlm_reach"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["py.typed", "pointing/examination/*.yaml", "pointing/training/*.yaml"]},
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
            "take_reference = vital_vlm_reach.reference_views.take_reference:main",
            "render_references = vital_vlm_reach.reference_views.render_references:main",
        ],
        "vital.locators": ["reach = vital_vlm_reach.localisation.locator:TaskLocator"],
    },
)
