from glob import glob

from setuptools import find_packages, setup

package_name = "vital_policy"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["py.typed", "network/*.cpp"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
        (
            f"share/{package_name}/checkpoints",
            sorted(glob("checkpoints/*.safetensors") + glob("checkpoints/*.md")),
        ),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    maintainer="ViTaL developers",
    maintainer_email="vital@example.org",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "train_bc = vital_policy.cloning.train_bc:main",
            "model_card = vital_policy.model_card:main",
            "export_onnx = vital_policy.runtime.export_onnx:main",
            "convert_weights = vital_policy.convert_weights:main",
        ],
    },
)
