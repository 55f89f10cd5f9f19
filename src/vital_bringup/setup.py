from glob import glob

from setuptools import find_packages, setup

package_name = "vital_bringup"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
        (f"share/{package_name}/launch", glob("launch/*.launch.py")),
        (f"share/{package_name}/config", glob("config/*")),
        (f"share/{package_name}/rviz", glob("rviz/*.rviz")),
        (f"share/{package_name}/studies", glob("studies/*.yaml")),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    maintainer="ViTaL developers",
    maintainer_email="vital@example.org",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "task_server = vital_bringup.tasks.task_server_node:main",
            "record_session = vital_bringup.sessions.record_node:main",
            "deploy = vital_bringup.sessions.deploy_node:main",
            "residual_training = vital_bringup.sessions.train_node:main",
            "run_video = vital_bringup.film.run_video_node:main",
            "study = vital_bringup.study.study_main:main",
            "chaos = vital_bringup.chaos.chaos_main:main",
        ]
    },
)
